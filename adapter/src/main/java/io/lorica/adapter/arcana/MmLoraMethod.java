package io.lorica.adapter.arcana;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.FileKeys;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.moe.LayerKeys;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;

/**
 * MM-LoRA of Arcana (Sun et al., Improving Multi-modal Large Language Model through Boosting Vision Capabilities, 2024): in
 * the language model that reads images, one LoRA acts on the tokens of images and another on all others; the ratio of
 * their ranks is a setting. Together they have the parameters of one LoRA of rank {@code r_V + r_L}, and each token costs
 * one of them. Attention is shared as ever.
 *
 * <p>Which tokens are of images comes with the pass ({@link io.lorica.model.Pass#visual}): those whose embeddings were put in
 * an image's place. The released model code never passes its mask and assumes the image's place in one chat template.
 * New tokens after the prompt are language.
 *
 * <p>Its key {@code qladder} adds the paper's other half, see {@link QLadderMethod}.
 *
 * <p>On a model that reads images only the layers of its language model are adapted. On a model of text alone every token is
 * language, and the pair of vision neither acts nor learns; there it merges as the plain LoRA that it is.
 */
public final class MmLoraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "mm-lora",
                "MM_LORA",
                "one LoRA for the tokens of images, another for those of language",
                "Sun et al., Improving Multi-modal LLM through Boosting Vision Capabilities (Arcana), 2024",
                "low-rank",
                "nothing",
                false,
                false,
                MmLoraConfig.KEYS);
    }

    /** The paper's seven maps; those of the vision encoder are left out by themselves. */
    @Override
    public boolean usuallyAllLinear() {
        return true;
    }

    @Override
    public MethodConfig parse(Options options) {
        return MmLoraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        ((MmLoraConfig) config).validate(site, where);
    }

    @Override
    public FileKeys fileKeys(BaseModel model) {
        return new ArcanaKeys(LayerKeys.of(model, ArcanaKeys.PREFIX));
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        boolean seesImages = model instanceof VisionLanguageModel;
        LanguageLayers layers = new LanguageLayers(seesImages, LayerKeys.stem(model) + "layers.", null);
        if (sites.stream().noneMatch(layers::adapts)) {
            throw new LoricaException.BadInput(
                    "none of the " + sites.size() + " targets of method 'mm-lora', the first "
                            + sites.getFirst().name() + ", is in the layers of the language model (" + layers.start()
                            + "0 and on); name q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or down_proj");
        }
        LadderConfig ladder = ((MmLoraConfig) config).ladder();
        return ladder == null ? layers : layers.with(Ladder.of(ladder, model, seed.of("qladder")));
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new MmLoraLinear((Linear) site, (MmLoraConfig) config, ((LanguageLayers) shared).seesImages(), seed);
    }
}
