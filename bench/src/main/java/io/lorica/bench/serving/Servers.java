package io.lorica.bench.serving;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Which servers to run, by name.
 *
 * @param lorica the command line up to {@code serve}
 * @param python an interpreter with PEFT
 * @param vllm one with vLLM; null where it is not asked for
 * @param llama null where it is not asked for
 * @param peftScript {@code bench/peers/serve_peft.py}
 */
public record Servers(
        List<String> names,
        List<String> lorica,
        Path python,
        @Nullable Path vllm,
        @Nullable Llama llama,
        Path peftScript) {

    /**
     * llama.cpp.
     *
     * @param server its {@code llama-server}
     * @param gguf the base
     */
    public record Llama(Path server, Path gguf) {}

    /** @throws LoricaException.BadInput as {@link #contenders}, before any work */
    public void require() {
        contenders();
    }

    /** @throws LoricaException.BadInput for a name that is none, or a program that is needed and was not given */
    List<Contender> contenders() {
        Map<String, Supplier<Contender>> known = new LinkedHashMap<>();
        known.put("lorica", () -> Contender.lorica(lorica));
        known.put("vllm", () -> Contender.vllm(given(vllm, "--vllm-python")));
        known.put("llama.cpp", () -> Contender.llama(given(llama, "--llama-server")));
        known.put("peft", () -> Contender.peft(python, peftScript));
        List<Contender> contenders = new ArrayList<>();
        for (String name : names) {
            Supplier<Contender> contender = known.get(name);
            if (contender == null) {
                throw new LoricaException.BadInput(
                        "unknown server '" + name + "'" + Names.didYouMean(name, known.keySet()));
            }
            contenders.add(contender.get());
        }
        return contenders;
    }

    private static <T> T given(@Nullable T program, String option) {
        if (program == null) {
            throw new LoricaException.BadInput(option + " is missing; this server needs it");
        }
        return program;
    }
}
