package io.lorica.adapter;

import io.lorica.tensor.LoricaException;
import org.bytedeco.pytorch.Tensor;

/**
 * Training data that a method may run through the frozen model before it starts. To see activations and gradients, the
 * method attaches overlays to the sites for the time of the call and takes them off again; those of active adapters are set
 * aside meanwhile.
 *
 * <p>Examples are counted from 0 in the order of the data; past the last one they begin anew.
 */
public interface Calibration {

    /** No data: whoever asks is told what to do. */
    Calibration NONE = new Calibration() {
        @Override
        public int examples() {
            throw new LoricaException.BadInput(
                    "this method starts from data, and none was given; train it with `lorica train --data FILE`");
        }

        @Override
        public void forward(long from, int count) {
            examples();
        }

        @Override
        public double backward(long from, int count) {
            return examples();
        }

        @Override
        public Tensor supervised(long from, int count) {
            throw new LoricaException.Internal("nothing is supervised where there is no data");
        }
    };

    /** How many there are. */
    int examples();

    /** Runs a batch of examples through the model in evaluation mode, without recording gradients. */
    void forward(long from, int count);

    /**
     * Runs a batch forward and backward. Gradients are those of the mean loss over the batch's targets, and flow into
     * every leaf that asks for them.
     *
     * @return the mean loss
     */
    double backward(long from, int count);

    /**
     * As {@link #backward} for each of {@code batches} batches of {@code count} examples from the first on, but in such an
     * order that all gradients of the model's last part are complete first, then those of the one before. Needs the memory
     * of one part's gradients and of every part's inputs.
     *
     * @param complete called after each part, so that what was gathered for it can be used and freed
     */
    default void backwardByBlock(int batches, int count, Runnable complete) {
        for (int i = 0; i < batches; i++) {
            backward((long) i * count, count);
        }
        complete.run();
    }

    /**
     * Which tokens of that batch are targets: {@code [T]} bool in the order of the packed batch, owned by the caller's
     * innermost scope.
     */
    Tensor supervised(long from, int count);
}
