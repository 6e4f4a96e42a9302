package io.lorica.adapter.bone;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.List;
import java.util.Locale;

/**
 * Settings of Bone and MiSS, keys and defaults as in PEFT.
 *
 * @param r size of a block, from 1; default 64
 * @param miniR {@code mini_r}, in MiSS only: columns of the block of form {@link Form#MINI}; default 1
 * @param dropout {@code miss_dropout} of the branch's input, in MiSS only; not applied in {@link Form#BAT}; default 0
 * @param form {@code init_weights}
 * @param legacy whether the file is of PEFT's former type {@code BONE}
 */
record BoneConfig(int r, int miniR, double dropout, Form form, boolean legacy) implements MethodConfig {

    /** What PEFT's key {@code init_weights} chooses: not only initial values, but the form of the update. */
    enum Form {
        /** {@code true}: {@code M: [r, out]}, added to each chunk of r columns. */
        SHARED,
        /** {@code false}: the same with random initial values, so that the model changes at once. */
        RANDOM,
        /** {@code "bat"}: {@code M: [out / r, r, r]}, multiplied by the frozen weight's blocks. */
        BAT,
        /** {@code "mini"}: {@code M: [r, mini_r]}, repeated along the outputs too. */
        MINI;

        JsonNode json() {
            return switch (this) {
                case SHARED -> BooleanNode.TRUE;
                case RANDOM -> BooleanNode.FALSE;
                default -> TextNode.valueOf(name().toLowerCase(Locale.ROOT));
            };
        }

        static Form parse(Options options, Form otherwise, List<String> known) {
            JsonNode node = options.take("init_weights").orElse(otherwise.json());
            if (node.isBoolean()) {
                return node.booleanValue() ? SHARED : RANDOM;
            }
            if (!known.contains(node.asText())) {
                throw new LoricaException.BadInput(options.where() + ": key 'init_weights' is " + node
                        + ", but must be true, false or " + String.join(", ", known)
                        + Names.didYouMean(node.asText(), known));
            }
            return valueOf(node.asText().toUpperCase(Locale.ROOT));
        }
    }

    static BoneConfig miss(Options options) {
        return new BoneConfig(
                options.integer("r", 64, 1, 1 << 16),
                options.integer("mini_r", 1, 1, 1 << 16),
                options.number("miss_dropout", 0, 0, 0.999),
                Form.parse(options, Form.SHARED, List.of("bat", "mini")),
                false);
    }

    /** A file's {@code init_weights: true} means plain sharing, as in PEFT; without a file, Bone means the weight guide. */
    static BoneConfig bone(Options options) {
        boolean legacy = options.take("peft_type").isPresent();
        return new BoneConfig(
                options.integer("r", 64, 1, 1 << 16),
                1,
                0,
                Form.parse(options, legacy ? Form.SHARED : Form.BAT, List.of("bat")),
                legacy);
    }

    String key() {
        return legacy ? "bone_block" : "miss_block";
    }

    void validate(SiteShape site, String where) {
        if (r > site.in()) {
            throw wrong(site, where, "r", r, "is above its input", "choose r <= " + site.in());
        }
        if (form == Form.BAT && (site.in() % r != 0 || site.out() % r != 0)) {
            throw wrong(site, where, "r", r, "does not divide both sides", "choose a divisor, or init_weights true");
        }
        if (form == Form.MINI && site.out() % miniR != 0) {
            throw wrong(
                    site, where, "mini_r", miniR, "does not divide its output", "choose a divisor of " + site.out());
        }
    }

    private static LoricaException wrong(
            SiteShape site, String where, String key, int value, String fault, String remedy) {
        return new LoricaException.BadInput(
                where + ": " + key + " " + value + " at " + site.describe() + " " + fault + "; " + remedy);
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", r);
        json.set("init_weights", form.json());
        if (legacy) {
            return;
        }
        json.put("peft_type", "MISS"); // what PEFT calls Bone since version 0.19
        json.put("mini_r", miniR);
        json.put("miss_dropout", dropout);
    }
}
