package io.lorica.cli;

import io.lorica.model.BaseModel;
import io.lorica.model.CausalModel;
import io.lorica.model.ChatTemplate;
import io.lorica.model.Message;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch;

/** A base model as the options of a command ask for it, with an adapter on it where one was named. */
final class Session implements AutoCloseable {
    private final Pretrained pretrained;

    private Session(Pretrained pretrained) {
        this.pretrained = pretrained;
    }

    /** @param dtype what the base computes in where the options do not say */
    static Session open(BaseOptions options, String dtype, Console console) {
        DType type = DType.parse(options.dtype == null ? dtype : options.dtype);
        if (options.threads > 0) {
            torch.set_num_threads(options.threads);
        }
        return new Session(pretrained(options.model, type, console));
    }

    static Pretrained pretrained(String reference, DType dtype, Console console) {
        try (FetchProgress progress = new FetchProgress(console)) {
            return ModelStore.standard(progress).open(reference, dtype);
        }
    }

    BaseModel model() {
        return pretrained.model();
    }

    CausalModel causal() {
        return pretrained.causal();
    }

    Tokenizer tokenizer() {
        return pretrained.tokenizer();
    }

    /** A user's question as the model's chat template writes it; the bare text where there is no template. */
    long[] prompt(String system, String user) {
        Optional<ChatTemplate> template = tokenizer().chatTemplate();
        if (template.isEmpty()) {
            if (!system.isEmpty()) {
                throw new LoricaException.Incompatible(pretrained.reference()
                        + " has no chat template, so it takes no system turn; leave --system out");
            }
            return tokenizer().encode(user, true);
        }
        List<Message> turns = new ArrayList<>();
        if (!system.isEmpty()) {
            turns.add(new Message("system", system));
        }
        turns.add(new Message("user", user));
        return tokenizer().encode(template.get().render(turns, true), false);
    }

    @Override
    public void close() {
        pretrained.close();
    }
}
