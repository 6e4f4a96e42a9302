package io.lorica.bench.serving;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A server and how it is started: as its own documentation advises for many adapters, on {@code threads} processors, the
 * base in bfloat16 where it computes in it.
 *
 * @param maxAdapters most adapters that it can be asked to hold here; more are not tried
 */
record Contender(String name, int maxAdapters, Map<String, String> environment, Client.Dialect dialect, Start start) {

    /** Makes the command line. */
    interface Start {
        List<String> command(Place place);
    }

    /**
     * What a run gives a server.
     *
     * @param model the base as a Hugging Face directory
     */
    record Place(Path model, RandomAdapters adapters, int count, int threads, int port) {}

    private static final Client.Dialect BY_NAME = (body, adapter) -> body.put("model", RandomAdapters.name(adapter));

    /** @param command the program {@code lorica} */
    static Contender lorica(List<String> command) {
        return new Contender("lorica", Integer.MAX_VALUE, Map.of(), BY_NAME, place -> {
            List<String> line = new ArrayList<>(command);
            line.addAll(List.of("serve", "--model", place.model().toString(), "--name", "base"));
            line.addAll(List.of("--adapters", place.adapters().folders().toString(), "--adapter-memory", "2GiB"));
            line.addAll(List.of("--max-queue", "100000", "--patience", "0"));
            line.addAll(List.of("--threads", "" + place.threads(), "--port", "" + place.port()));
            return line;
        });
    }

    /**
     * vLLM on the CPU. Adapters come from the folder when asked for (its file system resolver). 16 answers side by side and
     * 256 tokens a pass: with its defaults one pass over prompts of many adapters takes minutes.
     */
    static Contender vllm(Path python) {
        Map<String, String> environment = Map.of(
                "VLLM_CPU_KVCACHE_SPACE", "2",
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "True",
                "VLLM_PLUGINS", "lora_filesystem_resolver",
                "HF_HUB_OFFLINE", "1",
                "VLLM_NO_USAGE_STATS", "1");
        return new Contender(
                "vllm",
                2000,
                environment,
                BY_NAME,
                place -> List.of(
                        "env",
                        "OMP_NUM_THREADS=" + place.threads(),
                        "VLLM_LORA_RESOLVER_CACHE_DIR=" + place.adapters().folders(),
                        python.toString(),
                        "-m",
                        "vllm.entrypoints.openai.api_server",
                        "--model=" + place.model(),
                        "--port=" + place.port(),
                        "--dtype=bfloat16",
                        "--max-model-len=2048",
                        "--enable-lora",
                        "--max-lora-rank=64",
                        "--max-num-seqs=16",
                        "--max-num-batched-tokens=256",
                        "--max-loras=" + Math.min(16, place.count()),
                        "--max-cpu-loras=" + Math.min(256, place.count())));
    }

    /** llama.cpp's server on its own file of the base; a request names its adapter by number, with 16 places side by side. */
    static Contender llama(Servers.Llama llama) {
        Client.Dialect byNumber = (body, adapter) ->
                body.putArray("lora").addObject().put("id", adapter).put("scale", 1);
        return new Contender(
                "llama.cpp",
                500,
                Map.of(),
                byNumber,
                place -> List.of(
                        llama.server().toString(),
                        "--model",
                        llama.gguf().toString(),
                        "--lora",
                        String.join(",", place.adapters().ggufs(place.count())),
                        "--lora-init-without-apply",
                        "--threads",
                        "" + place.threads(),
                        "--parallel",
                        "16",
                        "--ctx-size",
                        "" + 16 * 1024,
                        "--port",
                        "" + place.port()));
    }

    /** PEFT with batches of mixed adapters ({@code adapter_names}), by a small server of ours. */
    static Contender peft(Path python, Path script) {
        return new Contender(
                "peft",
                100,
                Map.of("HF_HUB_OFFLINE", "1"),
                BY_NAME,
                place -> List.of(
                        python.toString(),
                        script.toString(),
                        "--model=" + place.model(),
                        "--adapters=" + place.adapters().folders(),
                        "--count=" + place.count(),
                        "--threads=" + place.threads(),
                        "--port=" + place.port()));
    }
}
