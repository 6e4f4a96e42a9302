package io.lorica.adapter.ffalora;

import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.FrozenA;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;

/**
 * FFA-LoRA (Sun et al., Improving LoRA in Privacy-preserving Federated Learning, 2024): {@code y = W x + b + s B A0 x}
 * with {@code A0: [r, in]} random and frozen, {@code B: [out, r]} zero at the start and trained.
 *
 * <p>Why: {@code sum p_i B_i A_i - Bbar Abar = sum p_i (B_i - Bbar)(A_i - Abar)}, so averaging the factors of clients
 * apart is exact only where one factor is shared, and noise on both factors has a term quadratic in the noise. With A0
 * frozen the update is linear in B: averages are exact, noise stays Gaussian, and half as many numbers travel (for
 * {@code in = out}). {@code alpha} is no setting of its own under SGD: {@code (s, lr)} and {@code (c s, lr / c^2)} move
 * the weight alike. Clients must start from the same seed.
 *
 * <p>The gradient of B is left as it is; {@code lora-fa} projects it. Saved as plain LORA, for which PEFT has no flag
 * that says A is frozen.
 */
public final class FfaLoraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "ffa-lora",
                "LORA",
                "only B is trained; averages over clients are exact and half the size",
                "Sun et al., Improving LoRA in Privacy-preserving Federated Learning, 2024",
                "training rule",
                "nothing",
                true,
                true,
                LowRankConfig.KEYS);
    }

    @Override
    public MethodConfig parse(Options options) {
        return LowRankConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "ffa-lora", where);
        ((LowRankConfig) config).validate(site, where);
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new FrozenA((Linear) site, (LowRankConfig) config, seed);
    }
}
