package io.lorica.train.data;

import io.lorica.adapter.Adapter;
import io.lorica.model.Pretrained;
import io.lorica.model.Rates;
import io.lorica.model.SpeechModel;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a model takes in beside text: how files that belong to a text become tokens and media. */
public sealed interface Senses permits TextOnly, Sight, Hearing {

    /** Those of a model; of one that reads recordings, at all rates it has projectors for. */
    static Senses of(Pretrained base) {
        return base.model() instanceof SpeechModel hearing ? of(base, hearing.scales()) : of(base, List.of());
    }

    /**
     * Those of a model on which an adapter is trained: recordings at the adapter's rates, where it has some of its own.
     *
     * @throws LoricaException.BadInput if the adapter would learn where no gradient comes: the encoders' states are kept
     */
    static Senses of(Pretrained base, Adapter adapter) {
        if (base.model() instanceof SpeechModel) {
            Hearing.requireTrainable(adapter);
        }
        return adapter.scales().map(scales -> of(base, scales.scales())).orElseGet(() -> of(base));
    }

    /**
     * Those of a model.
     *
     * @param scales rates of compression of recordings, each a reading of every row; of no meaning for other models
     */
    static Senses of(Pretrained base, List<Rates> scales) {
        return switch (base.model()) {
            case SpeechModel hearing -> new Hearing(hearing, scales);
            case VisionLanguageModel seeing -> Sight.of(seeing, base.path());
            default -> new TextOnly();
        };
    }

    /** A text's tokens, with the places and the files of its media. */
    Example example(Attached files, Encoded encoded);

    /** A prompt with its media. */
    default Prompt prompt(Attached files, long[] tokens) {
        Example example = example(files, new Encoded(tokens, new boolean[tokens.length], 0));
        return new Prompt(example.tokens(), example.media());
    }

    /** Tokens up to where an answer begins, and what stands beside them. */
    record Prompt(long[] tokens, @Nullable Media media) {}

    /** Whether a sequence that was cut has lost tokens that stand for media. */
    boolean lost(Example whole, Example cut);

    /** Whether there are fewer of a token. */
    static boolean fewer(long token, Example whole, Example cut) {
        return count(token, whole) != count(token, cut);
    }

    private static long count(long token, Example example) {
        return Arrays.stream(example.tokens()).filter(id -> id == token).count();
    }
}
