package io.lorica.adapter;

import io.lorica.model.Pass;
import org.bytedeco.pytorch.Tensor;

/** What adapters make of a site's frozen output, for some rows of a call. */
@FunctionalInterface
public interface RowAdapter {
    /**
     * @param input {@code [rows, in]}, or ids for an embedding
     * @param base the frozen output, {@code [rows, out]}
     * @param pass of these rows
     * @return {@code [rows, out]}, owned by the caller's innermost scope
     */
    Tensor adapt(Tensor input, Tensor base, Pass pass);
}
