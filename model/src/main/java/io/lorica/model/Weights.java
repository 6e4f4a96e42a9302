package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Builds a model's sites and parameters from a {@link TensorSource}, checking every name and shape. Faults are
 * collected, and {@link #finish(String)} reports all of them at once.
 */
public final class Weights implements AutoCloseable {
    private final TensorSource source;
    private final DType dtype;
    private final Packing packing;
    private final SequencedMap<String, Site> sites;
    private final SequencedMap<String, Parameter> parameters;
    private final List<String> faults;
    private final SequencedMap<Pattern, String> harmless;
    private final SequencedMap<String, String> ignored;
    private final @Nullable UnaryOperator<String> naming;

    private boolean closed;

    /** @param source stays open as long as the model; closed with it */
    public Weights(TensorSource source, DType dtype) {
        this(source, dtype, WeightFormat.DENSE);
    }

    /**
     * @param source stays open as long as the model; closed with it
     * @param format how matrices are held
     */
    public Weights(TensorSource source, DType dtype, WeightFormat format) {
        this.source = source;
        this.dtype = dtype;
        packing = new Packing(format, dtype);
        sites = new LinkedHashMap<>();
        parameters = new LinkedHashMap<>();
        faults = new ArrayList<>();
        harmless = new LinkedHashMap<>();
        ignored = new LinkedHashMap<>();
        naming = null;
    }

    private Weights(Weights whole, UnaryOperator<String> naming) {
        source = whole.source;
        dtype = whole.dtype;
        packing = whole.packing;
        sites = whole.sites;
        parameters = whole.parameters;
        faults = whole.faults;
        harmless = whole.harmless;
        ignored = whole.ignored;
        this.naming = naming;
    }

    /**
     * These weights as a model inside this one sees them: it asks for its own names, its sites bear those of the whole.
     * Finishing and closing are left to the whole.
     *
     * @param names from a name of the inner model to the name in this one
     */
    public Weights part(UnaryOperator<String> names) {
        return new Weights(this, name -> whole(names.apply(name)));
    }

    /** The checkpoint's name for a module's name. */
    private String whole(String name) {
        return naming == null ? name : naming.apply(name);
    }

    public boolean has(String name) {
        return source.names().contains(whole(name));
    }

    /** A site with weight {@code name.weight: [out, in]} and, where wanted, {@code name.bias: [out]}. */
    public Linear linear(String name, long out, long in, boolean bias) {
        Parameter weight = matrix(name + ".weight", Packing.Role.LAYER, false, out, in);
        return add(new Linear(whole(name), weight, bias ? parameter(name + ".bias", out) : null, false));
    }

    /** GPT-2's Conv1D: weight {@code [in, out]} and bias {@code [out]}. */
    public Linear conv1d(String name, long out, long in) {
        Parameter weight = matrix(name + ".weight", Packing.Role.LAYER, true, in, out);
        return add(new Linear(whole(name), weight, parameter(name + ".bias", out), true));
    }

    /** An output head of its own, {@code name.weight: [vocabulary, in]} without bias. */
    public Linear head(String name, long vocabulary, long in) {
        Parameter weight = matrix(name + ".weight", Packing.Role.VOCABULARY, false, vocabulary, in);
        return add(new Linear(whole(name), weight, null, false));
    }

    public Embedding embedding(String name, long rows, long dim) {
        Embedding embedding =
                new Embedding(whole(name), matrix(name + ".weight", Packing.Role.VOCABULARY, false, rows, dim));
        sites.put(embedding.name(), embedding);
        return embedding;
    }

    /** An output head that shares the embedding's weight. */
    public Linear tied(String name, Embedding embedding) {
        return add(new Linear(whole(name), embedding.weight(), null, false));
    }

    /**
     * A decoder's output: the score head of a classifier where {@code config} describes one, else the vocabulary's.
     *
     * @param tied whether the vocabulary's shares the embedding's weight
     */
    public Linear decoderHead(ModelConfig config, Embedding words, boolean tied) {
        if (config.labels().isPresent()) {
            ignore("lm_head\\.weight", "the head of another task");
            return head(CausalClassifier.HEAD, config.labels().getAsInt(), words.out());
        }
        if (tied) {
            ignore("lm_head\\.weight", "the output is tied to the embedding");
            return tied("lm_head", words);
        }
        return head("lm_head", words.in(), words.out());
    }

    private Linear add(Linear linear) {
        sites.put(linear.name(), linear);
        return linear;
    }

    /** The weight of a site, held as the format says. */
    private Parameter matrix(String local, Packing.Role role, boolean turned, long... shape) {
        String name = whole(local);
        if (parameters.containsKey(name) || fault(name, shape).isPresent()) {
            return parameter(local, shape);
        }
        Optional<PackedWeight> packed = packing.pack(source, name, role, turned);
        if (packed.isEmpty()) {
            return parameter(local, shape);
        }
        Parameter parameter = new Parameter(name, packed.get(), () -> Tensors.to(source.read(name), dtype));
        parameters.put(name, parameter);
        return parameter;
    }

    /** A weight that is no site (norms, and the parts of sites). */
    public Parameter parameter(String local, long... shape) {
        String name = whole(local);
        Parameter known = parameters.get(name);
        if (known != null) {
            return known;
        }
        Parameter parameter = new Parameter(name, read(name, shape));
        parameters.put(name, parameter);
        return parameter;
    }

    /**
     * Lets the checkpoint hold tensors that no module reads.
     *
     * @param names regular expression for the whole name, which is the checkpoint's also for a {@link #part}
     * @param reason why the model computes the same without them
     */
    public void ignore(String names, String reason) {
        harmless.put(Pattern.compile(names), reason);
    }

    private Tensor read(String name, long... shape) {
        try (Scope _ = Scope.open()) {
            Optional<String> fault = fault(name, shape);
            if (fault.isEmpty()) {
                return Scope.release(Tensors.to(source.read(name), dtype));
            }
            faults.add(fault.get());
            return Scope.release(Tensors.empty(dtype, 0, 0)); // never used: finish() reports the fault
        }
    }

    private Optional<String> fault(String name, long... shape) {
        if (!source.names().contains(name)) {
            return Optional.of(name + " is missing");
        }
        if (!stored(name).startsWith("F")
                && !stored(name).startsWith("BF")
                && !stored(name).startsWith("Q")) {
            return Optional.of(name + " holds " + stored(name) + ", which is no type of weights");
        }
        if (!Arrays.equals(source.info(name).shape(), shape)) {
            return Optional.of(name + " has shape "
                    + Arrays.toString(source.info(name).shape()) + ", config.json asks for " + Arrays.toString(shape));
        }
        return Optional.empty();
    }

    private String stored(String name) {
        return source.info(name).dtype();
    }

    /**
     * Fails with every tensor named that is missing, misshapen, or in the checkpoint but read by no module: a model that
     * leaves out a layer or a bias would compute something else without a word.
     */
    public void finish(String where) {
        if (naming != null) {
            return; // the whole is not read yet
        }
        for (String name : source.names()) {
            if (!parameters.containsKey(name)) {
                harmless.entrySet().stream()
                        .filter(known -> known.getKey().matcher(name).matches())
                        .findFirst()
                        .ifPresentOrElse(
                                known -> ignored.put(name, known.getValue()),
                                () -> faults.add(
                                        name + " is in the checkpoint, but the configuration has no use for it"));
            }
        }
        if (!faults.isEmpty()) {
            throw new LoricaException.BadInput(where + ": " + faults.size()
                    + " tensors do not fit the configuration:\n  "
                    + String.join("\n  ", faults.subList(0, Math.min(20, faults.size())))
                    + (faults.size() > 20 ? "\n  … and " + (faults.size() - 20) + " more" : ""));
        }
        if (packing.format().quantized()) {
            requireQuantized(where);
            source.unload();
            Memory.trim();
        }
    }

    private void requireQuantized(String where) {
        if (parameters.values().stream().noneMatch(Parameter::quantized)) {
            throw new LoricaException.BadInput(where + ": no weight can be held as " + packing.format()
                    + (packing.format().kind() == WeightFormat.Kind.GGUF
                            ? ", since the file stores none in quantized blocks; name a quantized GGUF file, or choose"
                                    + " int8 or int4"
                            : ", since no matrix has columns in multiples of 32; choose dense"));
        }
    }

    /** Tensors of the checkpoint that are not used, with the reason why that is harmless. */
    public SequencedMap<String, String> ignored() {
        return Collections.unmodifiableSequencedMap(ignored);
    }

    public DType dtype() {
        return dtype;
    }

    public WeightFormat format() {
        return packing.format();
    }

    public SequencedMap<String, Site> sites() {
        return sites;
    }

    public SequencedMap<String, Parameter> parameters() {
        return parameters;
    }

    @Override
    public void close() {
        if (closed || naming != null) {
            return;
        }
        closed = true;
        parameters.values().forEach(Parameter::close);
        packing.scratch().close();
        source.close();
    }
}
