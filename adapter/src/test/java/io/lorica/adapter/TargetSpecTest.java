package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class TargetSpecTest {
    private static final List<String> LEAVES =
            List.of("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.gate_up_proj");

    private static List<SiteShape> sites(int layers) {
        List<SiteShape> sites = new ArrayList<>();
        sites.add(new SiteShape("model.embed_tokens", 64, 32, true, false, false));
        for (int layer = 0; layer < layers; layer++) {
            for (String leaf : LEAVES) {
                sites.add(new SiteShape("model.layers." + layer + "." + leaf, 32, 32, false, false, false));
            }
        }
        sites.add(new SiteShape("lm_head", 32, 64, false, false, true));
        return sites;
    }

    private static List<String> selected(String settings) {
        return TinyModels.config("lora", settings).plan(sites(3), "llama").stream()
                .map(SiteShape::name)
                .toList();
    }

    @Test
    void select_list_matchesWholeSegmentsOnly() {
        assertThat(selected("{'target_modules': ['up_proj']}"))
                .containsExactly(
                        "model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj", "model.layers.2.mlp.up_proj");
    }

    @Test
    void select_regex_matchesTheWholeName() {
        assertThat(selected("{'target_modules': '.*1.*_proj'}")).hasSize(4);
        assertThatThrownBy(() -> selected("{'target_modules': 'q_proj'}")).hasMessageContaining("matches none");
    }

    @Test
    void select_allLinear_leavesOutHeadAndEmbedding() {
        assertThat(selected("{'target_modules': 'all-linear'}"))
                .hasSize(12)
                .allMatch(n -> n.startsWith("model.layers."));
    }

    @Test
    void select_nothingNamed_takesTheUsualOnes() {
        assertThat(selected("{}")).hasSize(6).allMatch(name -> name.matches(".*\\.[qv]_proj"));
    }

    @Test
    void select_misspelt_suggestsTheLeaf() {
        assertThatThrownBy(() -> selected("{'target_modules': ['q_prj']}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("matches none of the 14 sites")
                .hasMessageContaining("did you mean 'q_proj'?");
    }

    @Test
    void select_allExcluded_saysSo() {
        assertThatThrownBy(() -> selected("{'target_modules': ['q_proj'], 'exclude_modules': '.*q_proj'}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("exclude all of them");
    }

    @Test
    void select_noSuchLayer_saysSo() {
        assertThatThrownBy(() -> selected("{'target_modules': ['q_proj'], 'layers_to_transform': [9]}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("none in layers_to_transform [9]");
    }

    @Test
    void select_fullName_passesTheLayerLimit() {
        assertThat(selected("{'target_modules': ['model.layers.0.mlp.up_proj', 'q_proj'], 'layers_to_transform': 2}"))
                .containsExactly("model.layers.0.mlp.up_proj", "model.layers.2.self_attn.q_proj");
    }

    @Property(tries = 50)
    void select_layers_areExactlyThoseNamed(@ForAll @Size(min = 1, max = 3) List<@IntRange(max = 2) Integer> layers) {
        assertThat(selected("{'target_modules': ['q_proj'], 'layers_pattern': 'layers', 'layers_to_transform': "
                        + layers + "}"))
                .hasSize((int) layers.stream().distinct().count())
                .allMatch(name -> layers.stream().anyMatch(layer -> name.contains("layers." + layer + ".")));
    }

    @Property(tries = 50)
    void select_excluded_isTheRest(@ForAll @IntRange(max = 2) int layer, @ForAll @IntRange(max = 3) int leaf) {
        String excluded = "model.layers." + layer + "." + LEAVES.get(leaf);
        assertThat(selected("{'target_modules': 'all-linear', 'exclude_modules': ['" + excluded + "']}"))
                .hasSize(11)
                .doesNotContain(excluded);
    }
}
