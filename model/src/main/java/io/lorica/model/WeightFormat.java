package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How the frozen weights are held in memory. What they compute in stays the model's dtype; biases and norms stay as they
 * are.
 *
 * <table>
 * <caption>Formats</caption>
 * <tr><td>{@code dense}</td><td>in the model's dtype</td></tr>
 * <tr><td>{@code int8}</td><td>linear maps and embeddings in 8 bits, one scale a row</td></tr>
 * <tr><td>{@code int4}, {@code int4-64}, {@code int4-128}</td><td>linear maps in 4 bits, a scale and a zero for each 32
 * (64, 128) columns; embeddings and the output head as {@code int8}</td></tr>
 * <tr><td>{@code nf4}</td><td>linear maps as QLoRA holds them; embeddings and the output head dense</td></tr>
 * <tr><td>{@code gguf}</td><td>the blocks of the GGUF file itself, mapped</td></tr>
 * </table>
 *
 * A matrix whose shape a format cannot hold takes the next wider one: {@code int4} becomes {@code int8}, and that dense.
 *
 * @param group columns that share a scale, for {@code int4}; else 0
 */
public record WeightFormat(Kind kind, int group) {

    /** The families of formats. */
    public enum Kind {
        DENSE,
        INT8,
        INT4,
        NF4,
        GGUF
    }

    public static final WeightFormat DENSE = new WeightFormat(Kind.DENSE, 0);
    public static final WeightFormat INT8 = new WeightFormat(Kind.INT8, 0);
    public static final WeightFormat INT4 = new WeightFormat(Kind.INT4, 32);
    public static final WeightFormat NF4 = new WeightFormat(Kind.NF4, 0);
    public static final WeightFormat GGUF = new WeightFormat(Kind.GGUF, 0);

    private static final List<String> KNOWN = List.of("dense", "int8", "int4", "int4-64", "int4-128", "nf4", "gguf");
    private static final Pattern GROUPED = Pattern.compile("int4-(32|64|128)");

    /** @throws LoricaException.BadInput for anything that is no format, with the known ones */
    public static WeightFormat parse(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        Matcher grouped = GROUPED.matcher(lower);
        if (grouped.matches()) {
            return new WeightFormat(Kind.INT4, Integer.parseInt(grouped.group(1)));
        }
        return switch (lower) {
            case "dense" -> DENSE;
            case "int8" -> INT8;
            case "int4" -> INT4;
            case "nf4" -> NF4;
            case "gguf" -> GGUF;
            default ->
                throw new LoricaException.BadInput("unknown weight format '" + name + "'"
                        + Names.didYouMean(lower, KNOWN) + " (known: " + String.join(", ", KNOWN) + ")");
        };
    }

    public boolean quantized() {
        return kind != Kind.DENSE;
    }

    /** @throws LoricaException.BadInput where weights in this format cannot be multiplied with inputs of that type */
    void requireComputable(DType dtype) {
        boolean packedProduct = kind == Kind.INT8 || kind == Kind.INT4;
        if (packedProduct && dtype == DType.F64) {
            throw new LoricaException.BadInput(
                    this + " weights cannot compute in float64; use float32, bfloat16 or float16, or dense weights");
        }
    }

    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT) + (group == 0 || group == 32 ? "" : "-" + group);
    }
}
