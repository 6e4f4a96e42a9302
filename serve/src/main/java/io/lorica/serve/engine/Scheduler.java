package io.lorica.serve.engine;

import io.lorica.serve.mix.ServedAdapter;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who comes next. In this order: those who were running already; with clustering, those whose adapters are in use; with
 * fairness, the tenant that has been served least; then the oldest, or with early abort perhaps the newest.
 *
 * <p>Fairness is the virtual token counter of Sheng et al., "Fairness in Serving Large Language Models" (2024), algorithm 2,
 * as S-LoRA ships it: a tenant's counter grows by 1 for each prompt token and by 2 for each generated one; who comes back
 * to the line is lifted to the least counter in it, so that nobody saves up. With one tenant the order is that of arrival.
 *
 * <p>Clustering and early abort are S-LoRA's (Sheng et al., 2023, section 4; {@code cluster_req_queue},
 * {@code abort_req_queue} of the official code). Early abort serves the newest first while more arrive between two
 * admissions than are let in. The code counts per scheduling, every ten tokens; here both are counted per admission, since
 * requests may enter before every token. It gives a prefill half a second of an aim of six; here a twelfth of the aim.
 */
final class Scheduler {
    private static final double PROMPT_WEIGHT = 1;
    private static final double ANSWER_WEIGHT = 2;

    private final EngineOptions.Scheduling options;
    private final Map<String, Double> served = new HashMap<>();
    private final Set<String> inLine = new HashSet<>();
    private @Nullable String lastToLeave;
    private int waitingBefore;
    private int rate;
    private int batch = 1;
    private boolean newestFirst;

    Scheduler(EngineOptions.Scheduling options) {
        this.options = options;
    }

    /** How long a request may wait before its first token can no longer come in time. */
    static Duration deadline(EngineOptions options) {
        Duration aim = options.scheduling().firstTokenAim().multipliedBy(11).dividedBy(12);
        boolean aimFirst = !aim.isZero() && (options.patience().isZero() || aim.compareTo(options.patience()) < 0);
        return aimFirst ? aim : options.patience();
    }

    /** To be called before requests are let in. */
    void look(List<Running> waiting) {
        for (Running request : waiting) {
            String tenant = request.request().tenant();
            if (!inLine.contains(tenant)) {
                lift(tenant);
                inLine.add(tenant);
            }
        }
        int arrived = waiting.size() - waitingBefore;
        newestFirst = !options.firstTokenAim().isZero() && next(rate, arrived) >= batch;
    }

    private void lift(String tenant) {
        double least =
                inLine.stream().mapToDouble(this::served).min().orElse(lastToLeave == null ? 0 : served(lastToLeave));
        served.merge(tenant, least, Math::max);
    }

    private double served(String tenant) {
        return served.getOrDefault(tenant, 0.0);
    }

    /** {@code 0.7 now + 0.3 before}, cut to a whole number as the official code does. */
    private static int next(int before, int now) {
        return (int) (0.7 * now + 0.3 * before);
    }

    /**
     * @param waiting in order of arrival, not empty
     * @param adapters that running requests use
     */
    Running choose(List<Running> waiting, Set<ServedAdapter> adapters) {
        if (waiting.getFirst().begun()) {
            return waiting.getFirst();
        }
        List<Running> candidates = waiting;
        if (options.clusterAdapters() > 0 && adapters.size() >= options.clusterAdapters()) {
            List<Running> near = waiting.stream()
                    .filter(request -> adapters.containsAll(request.adapters()))
                    .toList();
            candidates = near.isEmpty() ? waiting : near;
        }
        if (options.fair()) {
            double least = candidates.stream()
                    .mapToDouble(request -> served(request.request().tenant()))
                    .min()
                    .orElse(0);
            candidates = candidates.stream()
                    .filter(request -> served(request.request().tenant()) <= least)
                    .toList();
        }
        return newestFirst ? candidates.getLast() : candidates.getFirst();
    }

    /** A request has been let in for the first time. */
    void entered(Running request) {
        served.merge(
                request.request().tenant(), PROMPT_WEIGHT * request.request().prompt().length, Double::sum);
    }

    void generated(Running request) {
        served.merge(request.request().tenant(), ANSWER_WEIGHT, Double::sum);
    }

    /**
     * To be called when requests have been let in.
     *
     * @param waiting who is left
     * @param entered how many were let in
     */
    void done(List<Running> waiting, int entered) {
        Set<String> left = new HashSet<>();
        waiting.forEach(request -> left.add(request.request().tenant()));
        inLine.stream().filter(tenant -> !left.contains(tenant)).forEach(tenant -> lastToLeave = tenant);
        inLine.retainAll(left);
        if (entered > 0) {
            rate = next(rate, waiting.size() + entered - waitingBefore);
            batch = Math.max(next(batch, entered), 1);
            waitingBefore = waiting.size();
        }
        forget();
    }

    /** Drops counters that a lift would give back anyway, so that tenants who are gone cost no memory. */
    private void forget() {
        double floor = inLine.stream().mapToDouble(this::served).min().orElse(0);
        served.entrySet()
                .removeIf(entry -> !inLine.contains(entry.getKey())
                        && !entry.getKey().equals(lastToLeave)
                        && entry.getValue() <= floor);
    }
}
