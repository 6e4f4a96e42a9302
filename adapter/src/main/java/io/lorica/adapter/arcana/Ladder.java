package io.lorica.adapter.arcana;

import io.lorica.adapter.Shared;
import io.lorica.adapter.Trainable;
import io.lorica.model.BaseModel;
import io.lorica.model.ImageTokens;
import io.lorica.model.Pass;
import io.lorica.model.VisionEncoder;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * Arcana's QLadder: learned queries that climb along a frozen vision encoder, a block for each of its layers,
 * {@code q_{i+1} = block_i(q_i, h_i)} with {@code q_0 = Q} for every image. What block {@code select} answers becomes further
 * tokens of the image. Nothing flows back into the encoder, whose own tokens stay as they are.
 *
 * <p>Of n blocks below the encoder's N layers, block i reads {@code h_{floor(i N / n)}}: every k-th layer. Blocks after the
 * selected one are neither computed nor trained, but saved, so that official checkpoints keep their numbers.
 *
 * <p>{@code Q: [1, M, width]} starts standard normal. Everything is computed in float32.
 */
final class Ladder implements Shared, ImageTokens {
    static final String QUERIES = "qladder_embeds";
    static final String BLOCKS = "LadderAdapters.";

    private final LadderConfig config;
    private final int layers;
    private final int selected;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private final List<LadderBlock> blocks = new ArrayList<>();

    private Ladder(LadderConfig config, VisionEncoder encoder, Seed seed) {
        this.config = config;
        layers = encoder.layers();
        selected = config.selected(layers);
        LadderBlock.Sizes sizes =
                new LadderBlock.Sizes(encoder.width(), encoder.heads(), encoder.attentionDropout(), layers);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                GeneratorOptional generator = seed.of("queries").generator()) {
            tensors.put(
                    QUERIES,
                    Scope.release(Tensors.empty(DType.F32, 1, config.queries(), encoder.width())
                            .normal_(0, 1, generator)));
            for (int i = 0; i < config.blocks(layers); i++) {
                blocks.add(LadderBlock.fresh(tensors, BLOCKS + i + ".", sizes, seed.of(i)));
            }
        }
    }

    /**
     * @throws LoricaException.Unsupported where the model reads no images, or reads them in several states at once
     * @throws LoricaException.BadInput where the ladder does not fit its encoder
     */
    static Ladder of(LadderConfig config, BaseModel model, Seed seed) {
        if (!(model instanceof VisionLanguageModel seeing)) {
            throw new LoricaException.Unsupported("a QLadder needs a vision encoder, which this model ("
                    + model.config().modelType() + ") does not have; use a llava model");
        }
        VisionEncoder encoder = seeing.vision();
        if (seeing.featureWidth() != encoder.width()) {
            throw new LoricaException.Unsupported("a QLadder gives tokens of the vision encoder's width "
                    + encoder.width() + ", but the projector takes " + seeing.featureWidth()
                    + " (vision_feature_layer names several layers); use a model that reads one");
        }
        String fault = config.fault(encoder.layers());
        if (!fault.isEmpty()) {
            throw new LoricaException.BadInput("QLadder: " + fault);
        }
        return new Ladder(config, encoder, seed);
    }

    private int reads(int block) {
        return block * layers / blocks.size();
    }

    @Override
    public int count() {
        return config.queries();
    }

    @Override
    public int last() {
        return reads(selected);
    }

    @Override
    public Tensor read(List<Tensor> states, Pass pass) {
        try (Scope scope = Scope.open()) {
            long images = states.getFirst().size(0);
            Tensor q = Objects.requireNonNull(tensors.get(QUERIES)).expand(images, -1, -1);
            for (int i = 0; i <= selected; i++) {
                q = blocks.get(i).forward(q, Tensors.to(states.get(reads(i)), DType.F32), pass);
            }
            return scope.keep(Tensors.to(q, DType.of(states.getFirst())));
        }
    }

    @Override
    public Optional<ImageTokens> imageTokens() {
        return Optional.of(this);
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public boolean trainable(String key) {
        return blocks.subList(selected + 1, blocks.size()).stream().noneMatch(block -> key.startsWith(block.name()));
    }

    @Override
    public Trainable.Role role(String key) {
        return Objects.requireNonNull(tensors.get(key)).dim() == 1 ? Trainable.Role.B : Trainable.Role.A;
    }
}
