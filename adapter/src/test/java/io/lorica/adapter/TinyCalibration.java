package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Random sequences of equal length, of which all but the first three tokens are supervised. */
final class TinyCalibration implements Calibration {
    static final int LENGTH = 12;
    private static final int FREE = 3;

    private final CausalModel model;
    private final List<long[]> examples;

    TinyCalibration(BaseModel model) {
        this(model, random(((CausalModel) model).vocabularySize()));
    }

    TinyCalibration(BaseModel model, List<long[]> examples) {
        this.model = (CausalModel) model;
        this.examples = examples;
    }

    private static List<long[]> random(int vocabulary) {
        Random random = new Random(11);
        List<long[]> examples = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            examples.add(random.longs(LENGTH, 3, vocabulary).toArray());
        }
        return examples;
    }

    @Override
    public int examples() {
        return examples.size();
    }

    @Override
    public void forward(long from, int count) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            model.hidden(batch(from, count), Pass.inference());
        }
    }

    @Override
    public double backward(long from, int count) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.enabled()) {
            Tensor loss = loss(from, count);
            loss.backward();
            return loss.item_double();
        }
    }

    /** Mean loss over the supervised tokens, in the caller's scope. */
    Tensor loss(long from, int count) {
        return loss(from, count, Pass.inference());
    }

    Tensor loss(long from, int count, Pass pass) {
        Batch batch = batch(from, count);
        List<Long> rows = new ArrayList<>();
        List<Long> next = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long[] tokens = examples.get((int) ((from + i) % examples.size()));
            for (int at = FREE; at < LENGTH; at++) {
                rows.add((long) i * LENGTH + at - 1);
                next.add(tokens[at]);
            }
        }
        Tensor logits = model.head()
                .forward(
                        model.hidden(batch, pass)
                                .index_select(
                                        0,
                                        Tensors.of(
                                                rows.stream().mapToLong(v -> v).toArray())),
                        pass);
        Tensor wanted = Tensors.of(next.stream().mapToLong(v -> v).toArray()).unsqueeze(1);
        return torch.log_softmax(Tensors.to(logits, DType.F32), -1)
                .gather(1, wanted)
                .mean()
                .mul(new Scalar(-1.0));
    }

    @Override
    public Tensor supervised(long from, int count) {
        long[] marks = new long[count * LENGTH];
        for (int i = 0; i < marks.length; i++) {
            marks[i] = i % LENGTH >= FREE ? 1 : 0;
        }
        return Tensors.to(Tensors.of(marks), DType.BOOL);
    }

    private Batch batch(long from, int count) {
        List<long[]> chosen = new ArrayList<>();
        for (long i = from; i < from + count; i++) {
            chosen.add(examples.get((int) (i % examples.size())));
        }
        return Batch.of(chosen);
    }
}
