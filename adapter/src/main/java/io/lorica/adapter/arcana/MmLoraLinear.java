package io.lorica.adapter.arcana;

import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.model.VisualRows;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * MM-LoRA on a linear site, row by row: {@code y = W x + b + s_V B_V A_V dropout(x)} for a token of an image, else
 * {@code y = W x + b + s_L B_L A_L dropout(x)}. {@code A_V: [r_V, in]}, {@code B_V: [out, r_V]}, and likewise for L; both
 * pairs start as LoRA's do. A call without {@link Pass#visual} has tokens of language alone.
 */
final class MmLoraLinear implements SiteAdapter {
    private static final String VISION = "vision.";
    private static final String LANGUAGE = "language.";

    private final Linear site;
    private final double dropout;
    private final boolean seesImages;
    private final @Nullable Pair vision;
    private final @Nullable Pair language;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    /** @param seesImages whether the model's batches may have tokens of images */
    MmLoraLinear(Linear site, MmLoraConfig config, boolean seesImages, Seed seed) {
        this.site = site;
        this.dropout = config.dropout();
        this.seesImages = seesImages;
        vision = pair(VISION, config.vision(), config.visionScaling(), seed);
        language = pair(LANGUAGE, config.language(), config.languageScaling(), seed);
    }

    private @Nullable Pair pair(String name, int rank, double scaling, Seed seed) {
        if (rank == 0) {
            return null;
        }
        Pair pair = new Pair(Start.lora(site, rank, seed.of(name)), scaling);
        pair.tensors().forEach((suffix, tensor) -> tensors.put(name + suffix, tensor));
        return pair;
    }

    @Override
    public Site site() {
        return site;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, dropout, site.name());
        VisualRows rows = pass.visual();
        if (rows == null || rows.none()) {
            return language == null ? result : language.add(result, x, weight);
        }
        if (input.dim() != 2 || input.size(0) != rows.count()) {
            throw new LoricaException.Unsupported("mm-lora at " + site.name() + " gets " + input.size(0)
                    + " rows of a pass with " + rows.count() + " tokens, so it cannot tell which are of images;"
                    + " another active adapter shares them out among experts, so do not activate both");
        }
        if (rows.all()) {
            return vision == null ? result : vision.add(result, x, weight);
        }
        try (Scope scope = Scope.open()) {
            Tensor seen = add(result, x, rows.places(), vision, weight);
            return scope.keep(add(seen, x, rows.others(), language, weight));
        }
    }

    /** Out of place, unlike the official code: the rows' gradients stay right whatever else uses the result. */
    private static Tensor add(Tensor result, Tensor x, long[] rows, @Nullable Pair pair, double weight) {
        if (pair == null) {
            return result;
        }
        Tensor places = Tensors.of(rows);
        Tensor chosen = Tensors.to(x.index_select(0, places), DType.of(result));
        return result.index_add(0, places, LowRank.product(chosen, pair.a(), pair.b(), pair.scaling() * weight));
    }

    /** Of a model that sees no images the pair of language is all there is. */
    @Override
    public Optional<Factors> plainProduct() {
        return seesImages ? Optional.empty() : Optional.ofNullable(language).map(Pair::factors);
    }

    @Override
    public Tensor change(Tensor matrix) {
        if (seesImages) {
            throw new LoricaException.Unsupported("method 'mm-lora' adds another product to tokens of images than to"
                    + " others, which no one weight of " + site.name() + " does; keep the adapter beside the model");
        }
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(language == null ? Tensors.zeros(DType.F32, Tensors.shape(matrix)) : language.product());
        }
    }
}
