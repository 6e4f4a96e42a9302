package io.lorica.train.scenes;

import io.lorica.model.Batch;
import io.lorica.model.Pass;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Questions as one batch. */
record Lesson(List<Question> questions) {

    /** The mean cross-entropy of the answers, a scalar that gradients flow into; owned by the caller's innermost scope. */
    Tensor loss(VisionLanguageModel model, Pass pass) {
        try (Scope scope = Scope.open()) {
            long[] answers = questions.stream().mapToLong(Question::answer).toArray();
            return scope.keep(torch.cross_entropy_loss(model.nextLogits(batch(model), pass), Tensors.of(answers)));
        }
    }

    /** How many are answered rightly. */
    int right(VisionLanguageModel model) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            long[] said = Tensors.longs(
                    model.nextLogits(batch(model), Pass.inference()).argmax(new LongOptional(1), false));
            int right = 0;
            for (int i = 0; i < said.length; i++) {
                right += said[i] == questions.get(i).answer() ? 1 : 0;
            }
            return right;
        }
    }

    /** Tokens of each prompt. */
    int[] lengths(VisionLanguageModel model) {
        return prompts(model).stream().mapToInt(prompt -> prompt.length).toArray();
    }

    private List<long[]> prompts(VisionLanguageModel model) {
        return questions.stream()
                .map(question -> model.expand(question.prompt(), question.shown() ? 1 : 0))
                .toList();
    }

    private Batch batch(VisionLanguageModel model) {
        List<Scene> shown =
                questions.stream().filter(Question::shown).map(Question::scene).toList();
        return Batch.of(prompts(model)).withImages(shown.isEmpty() ? null : pictures(shown));
    }

    /** {@code [scenes, 3, side, side]}, owned by the caller's innermost scope. */
    static Tensor pictures(List<Scene> scenes) {
        float[] all = new float[scenes.size() * 3 * Scene.SIDE * Scene.SIDE];
        for (int i = 0; i < scenes.size(); i++) {
            float[] pixels = scenes.get(i).pixels();
            System.arraycopy(pixels, 0, all, i * pixels.length, pixels.length);
        }
        return Tensors.of(all, scenes.size(), 3, Scene.SIDE, Scene.SIDE);
    }
}
