package io.lorica.adapter;

import io.lorica.model.Parameter;
import io.lorica.model.Site;
import org.bytedeco.pytorch.Tensor;

/**
 * A weight or bias of a site that an adapter replaces whole ({@code modules_to_save}, {@code bias}).
 *
 * @param site computes with it; another site that shares the parameter may not
 * @param value of the parameter's shape, owned by the adapter or the caller's innermost scope
 */
public record Replacement(Site site, Parameter parameter, Tensor value) {}
