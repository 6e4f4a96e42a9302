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
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * QLadder of Arcana (Sun et al., Improving Multi-modal Large Language Model through Boosting Vision Capabilities, 2024):
 * each image gets further tokens, which learned queries read from all layers of the frozen vision encoder. They stand behind the
 * image's own tokens and go through the same projector. See {@link Ladder} for the arithmetic.
 *
 * <p>It does not start at the base: more tokens change the output from the first step. As the paper's first stage it is trained
 * with the projector ({@code modules_to_save}). The last block of the official default is never used; here it is not computed
 * either. With {@link MmLoraMethod} it is one adapter, by that method's key {@code qladder}.
 */
public final class QLadderMethod implements Method {
    private static final Pattern LAYER = Pattern.compile(".*\\bvision_tower\\..*\\blayers\\.(\\d+)\\..*");

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "qladder",
                "QLADDER",
                "further tokens for each image, read by learned queries from all layers of the vision encoder",
                "Sun et al., Improving Multi-modal LLM through Boosting Vision Capabilities (Arcana), 2024",
                "other form",
                "nothing",
                false,
                false,
                LadderConfig.KEYS);
    }

    @Override
    public MethodConfig parse(Options options) {
        return LadderConfig.parse(options);
    }

    @Override
    public boolean onSites() {
        return false;
    }

    @Override
    public boolean besideModules() {
        return true;
    }

    @Override
    public Optional<String> ownBiases() {
        return Optional.empty();
    }

    @Override
    public void validate(MethodConfig config, List<SiteShape> sites, String where) {
        long layers = sites.stream()
                .map(site -> LAYER.matcher(site.name()))
                .filter(Matcher::matches)
                .map(matcher -> matcher.group(1))
                .distinct()
                .count();
        if (layers == 0) {
            throw new LoricaException.Unsupported(where + ": method 'qladder' needs a vision encoder (sites in"
                    + " model.vision_tower), which this model does not have; use a llava model");
        }
        String fault = ((LadderConfig) config).fault(Math.toIntExact(layers));
        if (!fault.isEmpty()) {
            throw new LoricaException.BadInput(where + ": model.vision_tower: " + fault);
        }
    }

    @Override
    public FileKeys fileKeys(BaseModel model) {
        return new ArcanaKeys(LayerKeys.of(model, ArcanaKeys.PREFIX));
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return Ladder.of((LadderConfig) config, model, seed);
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        throw new LoricaException.Internal("QLadder acts on no site, asked for " + site.name());
    }
}
