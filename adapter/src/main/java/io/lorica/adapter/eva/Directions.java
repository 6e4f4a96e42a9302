package io.lorica.adapter.eva;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.Shared;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The main directions of every site's input on the training data, and how the ranks are spread over the sites.
 *
 * <p>Sites that see the same input (q, k and v of a block) share one decomposition, of the first of them, the watched one.
 * A watched site whose components no longer turn is left out of further batches, until a new distribution of ranks asks for
 * components of it that had not converged.
 */
final class Directions implements Shared {
    private final EvaConfig config;
    private final SequencedMap<String, Linear> sites = new LinkedHashMap<>();
    private final Map<String, String> same = new LinkedHashMap<>();
    private final SequencedMap<String, Watch> watches = new LinkedHashMap<>();
    private SequencedMap<String, Integer> ranks = new LinkedHashMap<>();

    /** The decomposition of one input and which of its components have converged. */
    private static final class Watch implements AutoCloseable {
        final int components;
        final IncrementalPca pca;
        boolean[] converged = new boolean[0];

        Watch(int components) {
            this.components = components;
            pca = new IncrementalPca(components);
        }

        boolean done(int rank) {
            for (int i = 0; i < rank; i++) {
                if (i >= converged.length || !converged[i]) {
                    return false;
                }
            }
            return true;
        }

        void add(Tensor x, double tau) {
            if (x.size(0) < components) {
                return; // fewer rows than components say too little
            }
            float[] cosines = pca.add(x);
            converged = new boolean[cosines.length];
            for (int i = 0; i < cosines.length; i++) {
                converged[i] = cosines[i] >= tau;
            }
        }

        @Override
        public void close() {
            pca.close();
        }
    }

    /** The last input that was unlike the one before it, held so that its memory cannot become another's. */
    private static final class Last implements AutoCloseable {
        String name = "";
        private @Nullable Tensor input;

        boolean equal(Tensor x) {
            return input != null && Arrays.equals(Tensors.shape(input), Tensors.shape(x)) && input.equal(x);
        }

        void set(String site, Tensor x) {
            close();
            name = site;
            input = Scope.release(x);
        }

        @Override
        public void close() {
            if (input != null) {
                input.close();
            }
        }
    }

    private Directions(EvaConfig config, List<Site> chosen) {
        this.config = config;
        chosen.forEach(site -> sites.put(site.name(), (Linear) site));
    }

    static Directions of(EvaConfig config, List<Site> chosen, Calibration calibration) {
        Directions directions = new Directions(config, chosen);
        try {
            directions.find(calibration);
            return directions;
        } catch (RuntimeException e) {
            directions.close();
            throw e;
        } finally {
            directions.sites.values().forEach(Linear::detachOverlay);
        }
    }

    private void find(Calibration calibration) {
        group(calibration);
        sites.keySet().forEach(name -> ranks.put(name, config.components(watched(name))));
        for (int batch = 0; batch < config.maxBatches() && !allDone(); batch++) {
            update(calibration, (long) batch * config.batch());
            if (watches.values().stream().allMatch(watch -> watch.pca.started())) {
                redistribute();
            }
        }
        watches.forEach((name, watch) -> {
            if (!watch.pca.started()) {
                throw new LoricaException.BadInput("no batch of " + config.batch() + " examples had the "
                        + watch.components + " supervised tokens that the start of " + name
                        + " needs; raise svd_batch_size, or lower r or rho");
            }
        });
    }

    /** Which sites see equal inputs, from the first batch. Sites of one input follow each other. */
    private void group(Calibration calibration) {
        Last last = new Last();
        try (last) {
            sites.values()
                    .forEach(site -> site.attach((linear, x, _) -> {
                        if (last.equal(x)) {
                            same.put(linear.name(), last.name);
                        } else {
                            last.set(linear.name(), x);
                        }
                        return linear.base(x);
                    }));
            calibration.forward(0, config.batch());
        }
        sites.keySet().stream().filter(name -> !same.containsKey(name)).forEach(name -> {
            int most = sites.keySet().stream()
                    .filter(other -> watched(other).equals(name))
                    .mapToInt(config::components)
                    .max()
                    .orElseThrow();
            watches.put(name, new Watch(most));
        });
    }

    private String watched(String site) {
        return same.getOrDefault(site, site);
    }

    private boolean allDone() {
        return watches.entrySet().stream()
                .allMatch(entry -> entry.getValue().done(Objects.requireNonNull(ranks.get(entry.getKey()))));
    }

    private void update(Calibration calibration, long from) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor counted = config.targetsOnly()
                    ? calibration.supervised(from, config.batch()).nonzero().squeeze(1)
                    : new Tensor();
            sites.values().forEach(Linear::detachOverlay);
            watches.forEach((name, watch) -> {
                if (!watch.done(Objects.requireNonNull(ranks.get(name)))) {
                    Objects.requireNonNull(sites.get(name)).attach((linear, x, _) -> {
                        try (Scope _ = Scope.open()) {
                            Tensor rows = x.reshape(-1, x.size(-1));
                            Tensor some = counted.defined() ? rows.index_select(0, counted) : rows;
                            watch.add(Tensors.to(some, DType.F32), config.tau());
                        }
                        return linear.base(x);
                    });
                }
            });
            calibration.forward(from, config.batch());
        }
    }

    private void redistribute() {
        SequencedMap<String, float[]> explained = new LinkedHashMap<>();
        // PEFT's order, which decides between equal shares: watched sites, then those that share an input.
        watches.forEach((name, watch) -> explained.put(name, watch.pca.explained()));
        same.forEach((name, watched) -> explained.put(name, Objects.requireNonNull(explained.get(watched))));
        int budget = sites.keySet().stream()
                .mapToInt(name -> config.lowRank().rank(name))
                .sum();
        ranks = Redistribution.of(explained, same, budget);
    }

    private int rank(String site) {
        return Objects.requireNonNull(ranks.get(site));
    }

    /** The first components as rows of A, divided by the roots of their singular values where asked for; B zero. */
    Start start(Linear site) {
        IncrementalPca pca = Objects.requireNonNull(watches.get(watched(site.name()))).pca;
        long r = rank(site.name());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor a = pca.rows().narrow(0, 0, r);
            Tensor scaled = config.whiten()
                    ? a.div(pca.singular().narrow(0, 0, r).sqrt().unsqueeze(1))
                    : a;
            return Start.of(scaled, Tensors.zeros(DType.F32, site.out(), r), false);
        }
    }

    /** The settings with the ranks and alphas that were found, where they are not the usual ones. */
    LowRankConfig found() {
        LowRankConfig asked = config.lowRank();
        SequencedMap<String, Double> found = new LinkedHashMap<>();
        SequencedMap<String, Double> alphas = new LinkedHashMap<>();
        sites.keySet().stream().filter(name -> rank(name) > 0).forEach(name -> {
            double alpha = asked.alphaOf(name);
            double adjusted = config.adjustScaling() ? alpha * rank(name) / asked.rank(name) : alpha;
            if (rank(name) != asked.r()) {
                found.put(name, (double) rank(name));
            }
            if (adjusted != asked.alpha()) {
                alphas.put(name, adjusted);
            }
        });
        return asked.withPatterns(found, alphas);
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>(); // the factors of the sites hold all that is needed
    }

    @Override
    public boolean adapts(Site site) {
        return rank(site.name()) > 0;
    }

    @Override
    public void close() {
        watches.values().forEach(Watch::close);
    }
}
