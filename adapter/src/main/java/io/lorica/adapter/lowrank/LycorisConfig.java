package io.lorica.adapter.lowrank;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * Settings that the methods of the LyCORIS family share (LoHa, LoKr); keys and defaults as PEFT's {@code LycorisConfig}.
 *
 * @param ranks {@code r} and {@code alpha} with their patterns; the update is scaled by {@code alpha / r}; both default 8
 * @param rankDropout {@code rank_dropout}: part of the outputs whose update is dropped in a training pass; default 0
 * @param moduleDropout {@code module_dropout}: how often a site's whole update is dropped; default 0
 */
public record LycorisConfig(LowRankConfig ranks, double rankDropout, double moduleDropout) {

    /** What {@code lorica methods} says of these settings. */
    public static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("r", "8", "rank"),
            new MethodInfo.Key("alpha", "8", "the update is scaled by alpha / r"),
            new MethodInfo.Key("rank_dropout", "0.0", "part of the outputs whose update is dropped"),
            new MethodInfo.Key("module_dropout", "0.0", "how often a site's whole update is dropped"),
            new MethodInfo.Key("rank_pattern", "{}", "ranks by end of name or regular expression"),
            new MethodInfo.Key("alpha_pattern", "{}", "alpha by end of name or regular expression"));

    /** Takes its keys out of {@code options}. */
    public static LycorisConfig parse(Options options) {
        LowRankConfig ranks = new LowRankConfig(
                options.integer("r", 8, 1, LowRankConfig.MAX_RANK),
                options.number("alpha", 8, 0, 1e6),
                0,
                false,
                options.numbers("rank_pattern", 1, LowRankConfig.MAX_RANK),
                options.numbers("alpha_pattern", 0, 1e6),
                false);
        ranks.check(options.where());
        options.take("use_effective_conv2d"); // changes nothing: no site is a convolution
        return new LycorisConfig(
                ranks, options.number("rank_dropout", 0, 0, 0.999), options.number("module_dropout", 0, 0, 1));
    }

    /** Whether this pass leaves a site's update out. */
    public boolean dropped(Pass pass, String site) {
        if (!pass.training() || moduleDropout == 0) {
            return false;
        }
        try (GeneratorOptional generator = pass.dropout().of(site).of("module").generator()) {
            return Tensors.empty(DType.F32, 1).uniform_(0, 1, generator).item_double() <= moduleDropout;
        }
    }

    /**
     * Drops rows of an update in training: whole outputs, as PEFT does.
     *
     * @param rows a tensor whose dimension {@code dim} is the outputs
     * @param rescale whether the kept ones grow, so that the mean stays
     */
    public Tensor dropRows(Tensor rows, int dim, boolean rescale, Pass pass, String site) {
        if (!pass.training() || rankDropout == 0) {
            return rows;
        }
        try (GeneratorOptional generator = pass.dropout().of(site).of("rank").generator()) {
            Tensor keep = Tensors.empty(DType.F32, rows.size(dim)).bernoulli_(1 - rankDropout, generator);
            double kept = keep.mean().item_double();
            long[] shape = new long[(int) rows.dim()];
            Arrays.fill(shape, 1);
            shape[dim < 0 ? shape.length + dim : dim] = rows.size(dim);
            Tensor mask =
                    LowRank.times(keep, rescale && kept > 0 ? 1 / kept : 1).view(shape);
            return rows.mul(Tensors.to(mask, DType.of(rows)));
        }
    }

    /** Writes its keys as PEFT reads them. */
    public void writeTo(ObjectNode json) {
        json.put("r", ranks.r());
        json.set("alpha", LowRankConfig.number(ranks.alpha()));
        json.put("rank_dropout", rankDropout);
        json.put("module_dropout", moduleDropout);
        json.put("use_effective_conv2d", false);
        json.set("rank_pattern", LowRankConfig.numbers(ranks.rankPattern()));
        json.set("alpha_pattern", LowRankConfig.numbers(ranks.alphaPattern()));
    }
}
