package io.lorica.cli;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterBase;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.MergeCertificate;
import io.lorica.adapter.MergeOptions;
import io.lorica.adapter.Provenance;
import io.lorica.adapter.Scales;
import io.lorica.model.BaseModel;
import io.lorica.model.CausalModel;
import io.lorica.model.ChatTemplate;
import io.lorica.model.Message;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Rates;
import io.lorica.model.Tokenizer;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.train.data.Senses;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A base model as the options of a command ask for it, with an adapter on it where one was named. */
final class Session implements AutoCloseable {
    private static final String ADAPTER = "adapter";

    private final Pretrained pretrained;
    private final AdapterStack stack;
    private @Nullable Adapter adapter;

    private Session(Pretrained pretrained) {
        this.pretrained = pretrained;
        stack = new AdapterStack(pretrained.model());
    }

    /** @param dtype what the base computes in where the options do not say */
    static Session open(BaseOptions options, String dtype, Console console) {
        ModelOptions base = options.base;
        LoadOptions how = options.allowPartial ? LoadOptions.STRICT.withPartial() : LoadOptions.STRICT;
        base.useThreads();
        return open(base.model, options.adapter, base.dtype(dtype), base.format(), how, console);
    }

    /** A base with one adapter that must fit it whole. */
    static Session open(String model, Path adapter, DType dtype, Console console) {
        return open(model, adapter, dtype, WeightFormat.DENSE, console);
    }

    static Session open(String model, Path adapter, DType dtype, WeightFormat format, Console console) {
        return open(model, adapter, dtype, format, LoadOptions.STRICT, console);
    }

    private static Session open(
            String model, @Nullable Path adapter, DType dtype, WeightFormat format, LoadOptions how, Console console) {
        Session session = new Session(pretrained(model, adapter, dtype, format, console));
        try {
            if (adapter != null) {
                session.activate(adapter, how, console);
            }
            return session;
        } catch (RuntimeException e) {
            session.close();
            throw e;
        }
    }

    private void activate(Path directory, LoadOptions how, Console console) {
        Provenance.read(directory)
                .ifPresent(provenance ->
                        provenance.requireText(Provenance.Text.of(pretrained.tokenizer()), directory.toString()));
        adapter = Adapter.load(pretrained.model(), directory, how);
        stack.add(ADAPTER, adapter);
        stack.activate(ADAPTER);
        adapter.coverage().ifPresent(found -> console.note("adapter " + directory + ": " + found));
    }

    /** The scales of the adapter, where there is one that has some. */
    Optional<Scales> scales() {
        return adapter == null ? Optional.empty() : adapter.scales();
    }

    /** What the model takes in beside text; recordings at these rates, by the adapter too. */
    Senses sensesAt(Rates rates) {
        scales().ifPresent(scales -> scales.use(rates));
        return Senses.of(pretrained, List.of(rates));
    }

    /** Puts the adapter into the weights until this session closes. */
    MergeCertificate merge(MergeOptions options) {
        return stack.merge(Map.of(ADAPTER, 1.0), options);
    }

    /** Lets the base alone compute from now on. */
    void disableAdapter() {
        stack.disable();
    }

    Pretrained pretrained() {
        return pretrained;
    }

    /** @param adapter null for none; where it is broken, that is known before the base is fetched and loaded */
    static Pretrained pretrained(String reference, @Nullable Path adapter, DType dtype, Console console) {
        return pretrained(reference, adapter, dtype, WeightFormat.DENSE, console);
    }

    static Pretrained pretrained(
            String reference, @Nullable Path adapter, DType dtype, WeightFormat format, Console console) {
        try (FetchProgress progress = new FetchProgress(console)) {
            ModelStore store = ModelStore.standard(progress);
            return adapter == null
                    ? store.open(reference, dtype, format)
                    : AdapterBase.open(store, reference, dtype, format, adapter);
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
        stack.close();
        pretrained.close();
    }
}
