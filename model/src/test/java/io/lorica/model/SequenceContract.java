package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Memory;
import io.lorica.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/** What every family promises that reads sequences of tokens. */
public abstract class SequenceContract extends FamilyContract {

    /** One vector per token, or per sequence. */
    protected abstract Tensor answer(BaseModel model, Batch batch);

    /** Batches of a fixture's sequences; encoders add the token types. */
    protected Batch batch(List<long[]> ids, List<long[]> segments) {
        return Batch.of(ids);
    }

    @Override
    protected final Tensor one(BaseModel model, Fixture fixture, int input) {
        List<long[]> segments = fixture.longs("segments");
        return answer(
                model,
                batch(
                        List.of(fixture.longs("ids").get(input)),
                        segments.isEmpty() ? segments : List.of(segments.get(input))));
    }

    @Override
    protected final Tensor all(BaseModel model, Fixture fixture) {
        return answer(model, batch(fixture.longs("ids"), fixture.longs("segments")));
    }

    @Test
    void close_afterEachOfFiftyLoads_freesTheWeights() {
        Fixture fixture = Fixture.named(fixtures().findFirst().orElseThrow());
        for (int i = 0; i < 5; i++) {
            loadGrown(fixture);
        }
        long before = Memory.resident().orElseThrow();
        for (int i = 0; i < 50; i++) {
            loadGrown(fixture);
        }
        // One load holds 2 MB or more; a leak of every load would show as 100 MB.
        assertThat(Memory.resident().orElseThrow() - before).isLessThan(40L << 20);
    }

    private void loadGrown(Fixture fixture) {
        try (BaseModel model = ModelLoader.load(
                        new GrownVocabulary(fixture.source()), GrownVocabulary.config(fixture.config()), DType.F64);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            answer(model, batch(List.of(new long[] {5, 6}), List.of(new long[] {0, 0})));
        }
    }
}
