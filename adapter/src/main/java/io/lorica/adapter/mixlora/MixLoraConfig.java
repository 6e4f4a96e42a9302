package io.lorica.adapter.mixlora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.moe.Balance;
import io.lorica.adapter.moe.RoutedBlocks;
import io.lorica.adapter.moe.Router;
import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Settings of MixLoRA; keys as MoE-PEFT.
 *
 * @param plain the LoRA of sites that are not in a feed-forward block
 * @param expert that of an expert
 * @param gaussian {@code lora_init: gaussian}: A starts normal with deviation {@code 1 / r}, not Kaiming-uniform
 * @param experts {@code num_experts}; default 8
 * @param choice experts a token visits: {@code top_k} of them, default 2; with {@code routing_strategy: mixlora-dynamic} as many
 *     as {@code top_p} needs, default 0.8, after {@code temperature}, default 0 for none
 * @param balanced {@code router_loss}: whether {@link #balance} is added to the loss; default true
 * @param coefficient {@code router_aux_loss_coef} of that, from 0; default 0.001 (the code's; its README has 0.01)
 * @param initRange {@code router_init_range}: deviation of a router's normal start; default 0.02
 * @param jitter {@code jitter_noise}: in training the block's input is multiplied by numbers uniform within {@code 1 - j} and
 *     {@code 1 + j}; default 0
 */
record MixLoraConfig(
        Lora plain,
        Lora expert,
        boolean gaussian,
        int experts,
        Router.Choice choice,
        boolean balanced,
        double coefficient,
        double initRange,
        double jitter)
        implements MethodConfig {
    private static final String TOP_K = "mixlora";
    private static final String TOP_P = "mixlora-dynamic";
    private static final String EXPERT = "expert_lora";

    /**
     * Settings of one kind of LoRA.
     *
     * @param dora whether it learns row norms apart from directions
     */
    record Lora(int r, double alpha, double dropout, boolean rslora, boolean dora) {

        static final Lora DEFAULT = new Lora(16, 32, 0.05, false, false);

        static Lora parse(Options options, Lora otherwise) {
            return new Lora(
                    options.integer("r", otherwise.r, 1, 1 << 16),
                    options.number("lora_alpha", otherwise.alpha, 0, 1e6),
                    options.number("lora_dropout", otherwise.dropout, 0, 0.999),
                    options.flag("use_rslora", otherwise.rslora),
                    options.flag("use_dora", otherwise.dora));
        }

        LowRankConfig lowRank() {
            return new LowRankConfig(r, alpha, dropout, rslora, new LinkedHashMap<>(), new LinkedHashMap<>(), false);
        }

        void writeTo(ObjectNode json) {
            json.put("r", r);
            json.put("lora_alpha", alpha);
            json.put("lora_dropout", dropout);
            json.put("use_rslora", rslora);
            json.put("use_dora", dora);
        }
    }

    static MixLoraConfig parse(Options options) {
        String strategy = strategy(options);
        int experts = options.integer("num_experts", 8, 1, 1 << 10);
        Router.Choice choice = strategy.equals(TOP_P)
                ? new Router.Choice.TopP(options.number("top_p", 0.8, 0, 1), options.number("temperature", 0, 0, 1e3))
                : new Router.Choice.TopK(options.integer("top_k", Math.min(2, experts), 1, experts));
        Lora plain = Lora.parse(options, Lora.DEFAULT);
        return new MixLoraConfig(
                plain,
                expert(options, plain),
                options.choice("lora_init", "original", List.of("original", "gaussian"))
                        .equals("gaussian"),
                experts,
                choice,
                options.flag("router_loss", true),
                options.number("router_aux_loss_coef", 0.001, 0, 1e6),
                options.number("router_init_range", 0.02, 0, 1e3),
                options.number("jitter_noise", 0, 0, 0.999));
    }

    private static Lora expert(Options options, Lora otherwise) {
        JsonNode node = options.take(EXPERT).orElse(null);
        if (node == null) {
            return otherwise;
        }
        if (!(node instanceof ObjectNode object)) {
            throw options.wrong(EXPERT, node, "an object with r, lora_alpha, lora_dropout, use_rslora, use_dora");
        }
        Options own = new Options(object, options.where() + ", key '" + EXPERT + "'");
        Lora expert = Lora.parse(own, otherwise);
        own.refuseUnknown();
        return expert;
    }

    private static String strategy(Options options) {
        String strategy = options.text("routing_strategy", TOP_K);
        boolean topK = strategy.equals(TOP_K) || strategy.equals("mixtral"); // the old name
        if (!topK && !strategy.equals(TOP_P)) {
            throw new LoricaException.Unsupported(options.where() + ": key 'routing_strategy' is '" + strategy
                    + "', but Lorica routes as '" + TOP_K + "' (top_k experts, their weights made to sum to 1) and '"
                    + TOP_P + "' (top_p) do; choose one of them. What mixlora-switch drops depends on how a sequence is"
                    + " cut into calls");
        }
        String activation = options.text("act_fn", "silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw new LoricaException.Unsupported(options.where() + ": key 'act_fn' is '" + activation
                    + "', but the experts' blocks compute with the base's silu; leave the key out");
        }
        return topK ? TOP_K : TOP_P;
    }

    void validate(List<SiteShape> sites, String where) {
        for (SiteShape site : sites) {
            LowRankConfig.requireLinear(site, "mixlora", where);
            (RoutedBlocks.inBlock(site.name()) ? expert : plain).lowRank().validate(site, where);
        }
        RoutedBlocks.requireSome(sites, where);
    }

    /** @param weight {@code [experts, hidden]}, owned by the caller */
    Router router(String name, Tensor weight) {
        Router.Shares shares =
                choice instanceof Router.Choice.TopK ? Router.Shares.NORMALIZED : Router.Shares.PROBABILITY;
        return new Router(name, weight, null, choice, shares);
    }

    /** {@code coefficient * E sum_k sum_e f_ke P_e} over the tokens of all layers, as in the code; even use costs K. */
    Balance balance() {
        return balanced ? new Balance(coefficient, Balance.Counts.PER_TOKEN, Balance.Groups.ALL) : Balance.NONE;
    }

    @Override
    public void writeTo(ObjectNode json) {
        plain.writeTo(json);
        if (!expert.equals(plain)) {
            expert.writeTo(json.putObject(EXPERT));
        }
        json.put("lora_init", gaussian ? "gaussian" : "original");
        json.put("num_experts", experts);
        switch (choice) {
            case Router.Choice.TopK top -> json.put("routing_strategy", TOP_K).put("top_k", top.k());
            case Router.Choice.TopP top ->
                json.put("routing_strategy", TOP_P).put("top_p", top.p()).put("temperature", top.temperature());
        }
        json.put("router_loss", balanced);
        json.put("router_aux_loss_coef", coefficient);
        json.put("router_init_range", initRange);
        json.put("jitter_noise", jitter);
    }
}
