package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every decoder promises. */
public abstract class CausalContract extends SequenceContract {

    @Override
    protected String kind() {
        return "logits";
    }

    @Override
    protected Tensor answer(BaseModel model, Batch batch) {
        return ((CausalModel) model).logits(batch, Pass.inference());
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void logits_cachedTokenByToken_equalTheWhole(String name) {
        Fixture fixture = Fixture.named(name);
        long[] ids = fixture.longs("ids").get(0);
        List<long[]> steps = new ArrayList<>();
        for (long id : ids) {
            steps.add(new long[] {id});
        }
        assertThat(Distances.largest(
                        cached(fixture, steps), fixture.floats(kind()).get(0)))
                .isLessThan(1e-4);
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void logits_cachedInChunks_equalTheWhole(String name) {
        Fixture fixture = Fixture.named(name);
        long[] ids = fixture.longs("ids").get(2);
        List<long[]> chunks = List.of(
                Arrays.copyOfRange(ids, 0, 9), Arrays.copyOfRange(ids, 9, 10), Arrays.copyOfRange(ids, 10, ids.length));
        assertThat(Distances.largest(
                        cached(fixture, chunks), fixture.floats(kind()).get(2)))
                .isLessThan(1e-4);
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void nextLogits_severalCachedSequences_equalEachWhole(String name) {
        Fixture fixture = Fixture.named(name);
        List<long[]> ids =
                List.of(fixture.longs("ids").get(0), fixture.longs("ids").get(3));
        try (BaseModel model = fixture.load(DType.F32);
                KvCache cache = ((CausalModel) model).newCache(2);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            CausalModel causal = (CausalModel) model;
            causal.nextLogits(Batch.of(ids.stream().map(CausalContract::butLast).toList(), cache), Pass.inference());
            List<long[]> last =
                    ids.stream().map(s -> new long[] {s[s.length - 1]}).toList();
            float[] next = Tensors.floats(causal.nextLogits(Batch.of(last, cache), Pass.inference()));
            List<float[]> expected = fixture.floats(kind());
            int vocabulary = causal.vocabularySize();
            float[] whole = Distances.joined(
                    List.of(lastRow(expected.get(0), vocabulary), lastRow(expected.get(3), vocabulary)));
            assertThat(Distances.largest(next, whole)).isLessThan(1e-4);
        }
    }

    private static float[] cached(Fixture fixture, List<long[]> chunks) {
        try (BaseModel model = fixture.load(DType.F32);
                KvCache cache = ((CausalModel) model).newCache(1);
                Grad _ = Grad.disabled()) {
            List<float[]> logits = new ArrayList<>();
            for (long[] chunk : chunks) {
                try (Scope _ = Scope.open()) {
                    Batch batch = Batch.of(List.of(chunk), cache);
                    logits.add(Tensors.floats(((CausalModel) model).logits(batch, Pass.inference())));
                }
            }
            return Distances.joined(logits);
        }
    }

    private static long[] butLast(long[] ids) {
        return Arrays.copyOf(ids, ids.length - 1);
    }

    private static float[] lastRow(float[] rows, int width) {
        return Arrays.copyOfRange(rows, rows.length - width, rows.length);
    }
}
