package io.lorica.adapter.mos;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class ShardTablesTest {
    private static final Path FIXTURE = Path.of("src", "test", "resources", "forms", "mos.safetensors");

    /** Against bench/peers/make_mix_fixtures.py: plain loops over shards, two layers that share a pool, r = 3. */
    @Test
    void assemble_fixture_sameFactorsOutputsAndGradients() {
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(FIXTURE)) {
            Tensor poolA = source.read("pool_a").clone().requires_grad_(true);
            Tensor poolB = source.read("pool_b").clone().requires_grad_(true);
            for (String layer : new String[] {"0", "1"}) {
                try (ShardTables tables = ShardTables.of(
                        Tensors.longs(source.read(layer + ".ia")), Tensors.longs(source.read(layer + ".ib")))) {
                    Tensor a = tables.assembleA(poolA, 3);
                    Tensor b = tables.assembleB(poolB, 3);
                    Tensor y = LowRank.times(source.read(layer + ".x").mm(a.t()).mm(b.t()), 16.0 / 3);
                    y.sin().sum().backward();
                    assertThat(Tensors.floats(a)).isEqualTo(Tensors.floats(source.read(layer + ".a")));
                    assertThat(Tensors.floats(b)).isEqualTo(Tensors.floats(source.read(layer + ".b")));
                    assertThat(Tensors.maxDifference(y, source.read(layer + ".y")))
                            .isLessThan(1e-4);
                }
            }
            assertThat(Tensors.maxDifference(poolA.grad(), source.read("dpool_a")))
                    .isLessThan(1e-3);
            assertThat(Tensors.maxDifference(poolB.grad(), source.read("dpool_b")))
                    .isLessThan(1e-3);
        }
    }

    @Test
    void draw_allStrategies_publicPartDiffersAndOwnPartIsDisjoint() {
        MosConfig config = config(); // e = 3, p = 1, l = 2, r = 7, 6 layers: 24 public shards, 2 own ones each
        long[] first = Tensors.longs(ShardTables.draw(config, "q_proj", 0, 6).a());
        for (int layer = 0; layer < 6; layer++) {
            try (ShardTables tables = ShardTables.draw(config, "q_proj", layer, 6)) {
                long[] a = Tensors.longs(tables.a());
                long[] b = Tensors.longs(tables.b());
                assertThat(a).hasSize(14);
                assertThat(Arrays.copyOf(a, 12)).doesNotHaveDuplicates();
                assertThat(Arrays.stream(a).limit(12)).allMatch(index -> index < 24);
                assertThat(Arrays.copyOf(a, 12)).isNotEqualTo(Arrays.copyOf(b, 12));
                assertThat(Arrays.copyOfRange(a, 12, 14)).containsExactly(24 + 2 * layer, 25 + 2 * layer);
                assertThat(Arrays.copyOfRange(b, 12, 14)).containsExactly(24 + 2 * layer, 25 + 2 * layer);
                assertThat(layer == 0 || !Arrays.equals(Arrays.copyOf(a, 12), Arrays.copyOf(first, 12)))
                        .isTrue();
            }
        }
    }

    @Test
    void draw_withoutDissociation_bothTablesAgree() {
        MosConfig config = config("pair_dissociation");
        try (ShardTables tables = ShardTables.draw(config, "q_proj", 2, 6)) {
            assertThat(Tensors.longs(tables.a())).isEqualTo(Tensors.longs(tables.b()));
        }
    }

    @Test
    void draw_withoutSubsets_everyLayerTakesTheFirst() {
        MosConfig config = config("subset_selection");
        try (ShardTables tables = ShardTables.draw(config, "q_proj", 2, 6)) {
            assertThat(Tensors.longs(tables.a())).startsWith(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
        }
    }

    private static MosConfig config(String... off) {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("r", 7).put("valid_param_lora_r", 3).put("num_chunk_per_vec", 2);
        for (String key : off) {
            json.put(key, false);
        }
        return MosConfig.parse(new Options(json, "test"));
    }
}
