package io.lorica.adapter.block;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;

/**
 * Settings of Block-LoRA.
 *
 * @param r rank, from 1; default 2 (CLIP-LoRA's)
 * @param blocks {@code num_blocks}, the arms; default 8. Divides the inputs of every site, or the rank in
 *     {@link Mode#RANK}; 1 is plain LoRA
 * @param mode {@code block_mode}: what is cut; default input
 * @param alpha the update is scaled by {@code alpha / sqrt(r)}; default 1
 * @param dropout {@code dropout_rate} of the branch's input, from 0 to below 1; default 0.25
 * @param fullFanIn {@code init_full_fan_in}: draw the head within {@code 1 / sqrt(in)} and not within
 *     {@code 1 / sqrt(columns of the head)}; default false
 * @param form {@code save_as}; default compact
 */
record BlockLoraConfig(int r, int blocks, Mode mode, double alpha, double dropout, boolean fullFanIn, Form form)
        implements MethodConfig {
    private static final int MAX_RANK = 1 << 16;

    enum Mode {
        /** Along the inputs: all blocks {@code A_j} are one {@code [r, in / n]}. */
        INPUT,
        /** Along the rank: all blocks {@code A_i} are one {@code [r / n, in]}. */
        RANK
    }

    /** What a file holds. */
    enum Form {
        /** The head and the arms. */
        COMPACT,
        /** The equal LoRA, which PEFT reads; it can be used, but not trained on as Block-LoRA. */
        LORA
    }

    static BlockLoraConfig parse(Options options) {
        BlockLoraConfig config = new BlockLoraConfig(
                options.integer("r", 2, 1, MAX_RANK),
                options.integer("num_blocks", 8, 1, MAX_RANK),
                choice(options, "block_mode", Mode.INPUT),
                options.number("alpha", 1, Double.MIN_NORMAL, 1e6),
                options.number("dropout_rate", 0.25, 0, 0.999),
                options.flag("init_full_fan_in", false),
                choice(options, "save_as", Form.COMPACT));
        if (config.mode == Mode.RANK && config.r % config.blocks != 0) {
            throw new LoricaException.BadInput(options.where() + ": num_blocks " + config.blocks + " does not divide r "
                    + config.r + ", which block_mode 'rank' cuts; choose a multiple as r");
        }
        return config;
    }

    private static <E extends Enum<E>> E choice(Options options, String key, E otherwise) {
        Class<E> type = otherwise.getDeclaringClass();
        List<String> words = Arrays.stream(type.getEnumConstants())
                .map(BlockLoraConfig::word)
                .toList();
        return Enum.valueOf(type, options.choice(key, word(otherwise), words).toUpperCase(Locale.ROOT));
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    void validate(SiteShape site, String where) {
        if (mode == Mode.INPUT && site.in() % blocks != 0) {
            throw new LoricaException.BadInput(where + ": num_blocks " + blocks + " does not divide the inputs of "
                    + site.describe() + "; choose a divisor of " + site.in());
        }
        long rank = rank();
        long smaller = Math.min(site.out(), columns(site.in()));
        if (rank > smaller) {
            throw new LoricaException.BadInput(where + ": rank " + rank + " at " + site.describe() + " is above "
                    + smaller + ", the smaller side of the blocks; choose a smaller r or num_blocks");
        }
    }

    /** Rows of the head, which the rank of the update cannot exceed. */
    int rank() {
        return mode == Mode.INPUT ? r : r / blocks;
    }

    /** Columns of the head at a site with so many inputs. */
    long columns(long in) {
        return mode == Mode.INPUT ? in / blocks : in;
    }

    /** {@code alpha / sqrt(r)}, r in whole in both modes. */
    double scaling() {
        return alpha / Math.sqrt(r);
    }

    @Override
    public void writeTo(ObjectNode json) {
        if (form == Form.LORA) {
            json.put("peft_type", "LORA");
            double equal = scaling() * Math.sqrt(rank());
            new LowRankConfig(rank(), equal, dropout, true, new LinkedHashMap<>(), new LinkedHashMap<>(), false)
                    .writeTo(json);
            return;
        }
        json.put("r", r);
        json.put("num_blocks", blocks);
        json.put("block_mode", word(mode));
        json.put("alpha", alpha);
        json.put("dropout_rate", dropout);
        json.put("init_full_fan_in", fullFanIn);
        json.put("save_as", word(form));
    }
}
