package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What {@code lorica adapter verify} finds out about an adapter on a base.
 *
 * @param coverage how many of its tensors found their place
 * @param parameters trained numbers
 * @param provenance empty for adapters that PEFT wrote
 * @param effect largest change of a logit that the adapter makes
 * @param selfTest agreement with training; empty where nothing was recorded
 * @param faults why the adapter cannot be trusted; empty when it can
 * @param notes what could not be checked
 */
public record AdapterReport(
        Coverage coverage,
        long parameters,
        Optional<Provenance> provenance,
        double effect,
        Optional<SelfTest.Result> selfTest,
        List<String> faults,
        List<String> notes) {

    public AdapterReport {
        faults = List.copyOf(faults);
        notes = List.copyOf(notes);
    }

    public boolean trusted() {
        return faults.isEmpty();
    }

    /**
     * Loads an adapter, compares it with the base, and replays its self-test.
     *
     * @param model carries no active adapter; is left so
     * @throws LoricaException.Incompatible where it does not even load
     */
    public static AdapterReport verify(Path directory, BaseModel model, LoadOptions options) {
        try (AdapterStack stack = new AdapterStack(model)) {
            String name = "verify";
            Adapter adapter = Adapter.load(model, directory, options);
            stack.add(name, adapter);
            List<String> faults = new ArrayList<>();
            List<String> notes = new ArrayList<>();
            Optional<Provenance> provenance = Provenance.read(directory);
            if (provenance.isEmpty()) {
                notes.add("no lorica.json: base, data and chat template of the training are not known");
            }
            Optional<SelfTest> recorded = SelfTest.read(directory);
            // Where nothing was recorded, a fresh record still shows whether the adapter does anything.
            SelfTest test = recorded.orElseGet(() -> SelfTest.record(stack, name, List.of()));
            SelfTest.Result result = test.replay(stack, name);
            if (recorded.isEmpty()) {
                notes.add("no selftest.safetensors: agreement with the training cannot be checked");
            } else if (!result.passed()) {
                faults.add("it does not compute what it computed in training: " + result);
            }
            if (result.effect() == 0) {
                faults.add("it changes nothing: the adapted model's logits equal the base's");
            }
            Coverage coverage = adapter.coverage().orElseThrow();
            if (!coverage.full()) {
                faults.add("only " + coverage + " were loaded");
            }
            return new AdapterReport(
                    coverage,
                    adapter.parameterCount(),
                    provenance,
                    result.effect(),
                    recorded.map(_ -> result),
                    faults,
                    notes);
        }
    }

    /** The same for an adapter that is in a stack already, as a server checks it on loading. */
    public static void require(Path directory, AdapterStack stack, String name) {
        SelfTest.read(directory).map(test -> test.replay(stack, name)).ifPresent(result -> {
            if (!result.passed()) {
                throw new LoricaException.Incompatible(directory + ": adapter '" + name
                        + "' does not compute what it computed in training: " + result
                        + "; is the base quantized or changed?");
            }
        });
    }

    /** For machines, with the keys of {@code --json}. */
    public Map<String, Object> summary() {
        Map<String, Object> summary = new java.util.LinkedHashMap<>();
        summary.put("trusted", trusted());
        summary.put("coverage", coverage.toString());
        summary.put("parameters", parameters);
        summary.put("effect", effect);
        summary.put("self_test", selfTest.map(Object::toString).orElse("none recorded"));
        summary.put(
                "base_fingerprint",
                provenance.map(p -> p.baseFingerprint().sha256()).orElse("none recorded"));
        summary.put("faults", faults);
        summary.put("notes", notes);
        return summary;
    }
}
