package io.lorica.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** What every encoder promises. */
public abstract class EncoderContract extends SequenceContract {

    @Override
    protected String kind() {
        return "hidden";
    }

    @Override
    protected Tensor answer(BaseModel model, Batch batch) {
        return ((EncoderModel) model).hidden(batch, Pass.inference());
    }

    @Override
    protected Batch batch(List<long[]> ids, List<long[]> segments) {
        return Batch.of(ids).withSegments(segments);
    }
}
