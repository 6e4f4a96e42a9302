package io.lorica.train.scenes;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.Pass;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.train.AdamW;
import io.lorica.train.Schedule;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * Lessons for adapters of a frozen model, with AdamW at 3e-3, 30 steps of warm-up and a cosine.
 *
 * @param rules of the adapters, for the losses that they gather on the way
 */
record SceneTraining(VisionLanguageModel model, List<Trainable> trainables, List<TrainingRule> rules, Seed dropout) {

    /** Settings of an adapter on all linear maps of the language model, with the projector. */
    static ObjectNode maps() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put(
                "target_modules",
                "model\\.language_model\\..*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)");
        json.putArray("modules_to_save").add("multi_modal_projector");
        return json;
    }

    /** Hears of a step's loss. */
    @FunctionalInterface
    interface Heard {
        void step(int step, double loss);
    }

    void run(int steps, Supplier<Lesson> lessons, Heard heard) {
        try (AdamW optimizer = new AdamW(0.9, 0.98, 1e-8)) {
            trainables.forEach(trainable -> optimizer.add(trainable, 1, 0));
            for (int step = 0; step < steps; step++) {
                Lesson lesson = lessons.get();
                try (Scope _ = Scope.open()) {
                    Tensor loss = lesson.loss(model, pass(lesson, step));
                    loss.backward();
                    heard.step(step + 1, ScenesExperiment.finite(loss.item_double(), "an adapter"));
                }
                optimizer.step(3e-3 * Schedule.COSINE.factor(step + 1, 30, steps), _ -> 1);
                optimizer.clearGradients();
            }
        }
    }

    private Pass pass(Lesson lesson, int step) {
        Pass pass = Pass.training(dropout.of(step));
        for (TrainingRule rule : rules) {
            var inside = rule.passLoss(1, lesson.lengths(model));
            if (inside != null) {
                pass = pass.with(inside);
            }
        }
        return pass;
    }
}
