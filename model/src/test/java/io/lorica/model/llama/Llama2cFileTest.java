package io.lorica.model.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.KvCache;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.TestData;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Llama2cFileTest {
    private static final String OPENING =
            "Once upon a time, there was a little girl named Lily. She loved to play" + " outside in the sunshine.";

    @TempDir
    Path directory;

    @Test
    void generate_greedily_tellsTheKnownStory() throws IOException {
        try (CausalModel model = babyLlama()) {
            assertThat(greedy(model, OPENING.length())).isEqualTo(OPENING);
        }
    }

    @Test
    void logits_ofATypicalOpening_loseALittleOfANat() throws IOException {
        try (CausalModel model = babyLlama()) {
            assertThat(lossPerCharacter(model, OPENING)).isBetween(0.05, 0.13);
        }
    }

    @Test
    void read_queryRows_bringsNeighboursIntoHalves() throws IOException {
        // dim 4, hidden 1, 1 layer, 1 head, 1 key head, vocabulary 1, context 1: one head of width 4.
        Path path = write(4, 1, 1, 1, 1, 1, 1);
        try (Llama2cFile file = Llama2cFile.open(path);
                Scope _ = Scope.open()) {
            float[] rows = Tensors.floats(file.read("model.layers.0.self_attn.q_proj.weight"));
            float start = 8; // after the embedding's row and the norm
            assertThat(rows)
                    .startsWith(start, start + 1, start + 2, start + 3)
                    .containsSequence(start + 8, start + 9, start + 10, start + 11, start + 4)
                    .endsWith(start + 12, start + 13, start + 14, start + 15);
        }
    }

    @Test
    void open_cutOffFile_isRefused() throws IOException {
        Path path = write(4, 1, 1, 1, 1, 1, 1);
        byte[] bytes = Files.readAllBytes(path);
        Files.write(path, Arrays.copyOf(bytes, bytes.length - 4));
        assertThatThrownBy(() -> Llama2cFile.open(path))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("is cut off");
    }

    @Test
    void open_impossibleSizes_isRefused() throws IOException {
        Path path = directory.resolve("model.bin");
        Files.write(path, new byte[64]);
        assertThatThrownBy(() -> Llama2cFile.open(path))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("does not begin with the sizes");
    }

    /** A file whose n-th number is n. */
    private Path write(int... header) throws IOException {
        int dim = header[0];
        int hidden = header[1];
        int count = header[5] * dim + 2 * dim + 4 * dim * dim + 3 * hidden * dim + dim + header[6] * dim;
        ByteBuffer buffer = ByteBuffer.allocate(4 * (7 + count)).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.stream(header).forEach(buffer::putInt);
        for (int i = 0; i < count; i++) {
            buffer.putFloat(i);
        }
        return Files.write(directory.resolve("model.bin"), buffer.array());
    }

    private static CausalModel babyLlama() {
        Llama2cFile file = Llama2cFile.open(TestData.require("weights/babyllama-105/model5000.bin"));
        return (CausalModel) ModelLoader.load(file, file.config(), DType.F32);
    }

    private static List<String> pieces() throws IOException {
        return Files.readAllLines(TestData.require("weights/babyllama-105/tok105.vocab")).stream()
                .map(line -> line.split("\t", -1)[0])
                .toList();
    }

    private static long[] ids(String text) throws IOException {
        List<String> pieces = pieces();
        List<Long> ids = new ArrayList<>(List.of(1L));
        for (char c : (" " + text).toCharArray()) {
            ids.add((long) pieces.indexOf(c == ' ' ? "\u2581" : String.valueOf(c)));
        }
        return ids.stream().mapToLong(Long::longValue).toArray();
    }

    private static String greedy(CausalModel model, int characters) throws IOException {
        List<String> pieces = pieces();
        StringBuilder text = new StringBuilder();
        long[] next = ids("");
        try (KvCache cache = model.newCache(1);
                Grad _ = Grad.disabled()) {
            while (text.length() < characters) {
                try (Scope _ = Scope.open()) {
                    float[] logits = Tensors.floats(model.nextLogits(Batch.of(List.of(next), cache), Pass.inference()));
                    int best = 0;
                    for (int i = 1; i < logits.length; i++) {
                        best = logits[i] > logits[best] ? i : best;
                    }
                    text.append(pieces.get(best).replace('\u2581', ' '));
                    next = new long[] {best};
                }
            }
        }
        return text.toString();
    }

    private static double lossPerCharacter(CausalModel model, String text) throws IOException {
        long[] ids = ids(text);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor logits = model.logits(Batch.of(List.of(ids)), Pass.inference());
            float[] scores = Tensors.floats(torch.log_softmax(logits, -1));
            double loss = 0;
            for (int i = 2; i < ids.length; i++) {
                loss -= scores[(i - 1) * model.vocabularySize() + (int) ids[i]];
            }
            return loss / (ids.length - 2);
        }
    }
}
