package io.lorica.adapter;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SortedSet;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * An adapter as microsoft/LoRA's {@code loralib} names its tensors, written out as PEFT's directory: {@code X.lora_A:
 * [r, in]} and {@code X.lora_B: [out, r]} become {@code base_model.model.X.lora_A.weight} and {@code …lora_B.weight}; a
 * score head becomes a saved module. Both compute {@code alpha / r * B A x}, so the numbers stay as they are.
 *
 * <p>The layout holds no alpha, so it must be said. loralib's {@code MergedLinear}, whose A stacks the factors of several
 * projections, is refused.
 */
public final class LoralibFile {
    private static final String A = ".lora_A";
    private static final String B = ".lora_B";

    private LoralibFile() {}

    /**
     * What was written.
     *
     * @param sites adapted modules
     * @param saved tensors of modules that are kept whole
     */
    public record Conversion(int sites, int rank, List<String> saved) {}

    /**
     * Converts a file.
     *
     * @param alpha the scaling's numerator, as the run was given it
     * @param base name of the base for {@code adapter_config.json}, or null
     * @param out new adapter directory
     * @throws LoricaException.BadInput naming every tensor that does not belong to this layout
     */
    public static Conversion convert(Path file, double alpha, @Nullable String base, Path out) {
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(file)) {
            SortedSet<String> modules = new TreeSet<>();
            List<String> heads = new ArrayList<>();
            check(source, file, modules, heads);
            heads.sort(null);
            int rank = rank(source, file, modules);
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            modules.forEach(module -> {
                tensors.put(Adapter.key(module, "lora_A.weight"), source.read(module + A));
                tensors.put(Adapter.key(module, "lora_B.weight"), source.read(module + B));
            });
            heads.forEach(head -> tensors.put(Adapter.PREFIX + head, source.read(head)));
            AdapterConfig config = AdapterConfig.parse(config(modules, heads, rank, alpha, base), file.toString());
            config.write(out);
            SafetensorsFile.write(out.resolve(AdapterFiles.WEIGHTS), tensors, Map.of("format", "pt"));
            return new Conversion(modules.size(), rank, List.copyOf(heads));
        }
    }

    private static void check(TensorSource source, Path file, SortedSet<String> modules, List<String> heads) {
        List<String> faults = new ArrayList<>();
        for (String name : source.names()) {
            if (name.endsWith(A) || name.endsWith(B)) {
                String module = name.substring(0, name.length() - A.length());
                String other = module + (name.endsWith(A) ? B : A);
                if (!source.names().contains(other)) {
                    faults.add(name + " has no partner " + other);
                }
                modules.add(module);
            } else if (TargetSpec.SCORE_HEADS.contains(name.substring(0, Math.max(0, name.indexOf('.'))))) {
                heads.add(name);
            } else {
                faults.add(name + " is neither a factor (X.lora_A, X.lora_B) nor of a score head");
            }
        }
        if (faults.isEmpty() && modules.isEmpty()) {
            faults.add("there are no factors X.lora_A and X.lora_B");
        }
        if (!faults.isEmpty()) {
            throw new LoricaException.BadInput(file + " is not in loralib's layout:\n  "
                    + String.join("\n  ", faults.subList(0, Math.min(12, faults.size())))
                    + "\nan adapter of PEFT is a directory with adapter_config.json and needs no conversion");
        }
    }

    private static int rank(TensorSource source, Path file, SortedSet<String> modules) {
        SortedSet<Long> ranks = new TreeSet<>();
        for (String module : modules) {
            long[] a = source.info(module + A).shape();
            long[] b = source.info(module + B).shape();
            if (a.length != 2 || b.length != 2 || a[0] != b[1]) {
                throw new LoricaException.Unsupported(file + ": " + module + " has factors of shapes "
                        + java.util.Arrays.toString(a) + " and " + java.util.Arrays.toString(b)
                        + ", which are not [r, in] and [out, r]; a MergedLinear cannot be converted");
            }
            ranks.add(a[0]);
        }
        if (ranks.size() > 1) {
            throw new LoricaException.Unsupported(
                    file + ": the factors have the ranks " + ranks + "; only one rank can be converted");
        }
        return Math.toIntExact(ranks.first());
    }

    private static ObjectNode config(
            SortedSet<String> modules, List<String> heads, int rank, double alpha, @Nullable String base) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("peft_type", "LORA");
        json.put("r", rank);
        json.put("lora_alpha", alpha);
        json.put("base_model_name_or_path", base);
        if (!heads.isEmpty()) {
            json.put("task_type", AdapterConfig.CLASSIFIER);
        }
        modules.forEach(json.putArray("target_modules")::add);
        return json;
    }
}
