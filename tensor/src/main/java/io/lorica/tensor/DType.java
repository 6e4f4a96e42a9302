package io.lorica.tensor;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Element types of tensors, by the names safetensors gives them. */
public enum DType {
    F64(ScalarType.Double, 8),
    F32(ScalarType.Float, 4),
    F16(ScalarType.Half, 2),
    BF16(ScalarType.BFloat16, 2),
    F8_E4M3(ScalarType.Float8_e4m3fn, 1),
    F8_E5M2(ScalarType.Float8_e5m2, 1),
    F8_E8M0(ScalarType.Float8_e8m0fnu, 1),
    F8_E4M3FNUZ(ScalarType.Float8_e4m3fnuz, 1),
    F8_E5M2FNUZ(ScalarType.Float8_e5m2fnuz, 1),
    C64(ScalarType.ComplexFloat, 8),
    I64(ScalarType.Long, 8),
    I32(ScalarType.Int, 4),
    I16(ScalarType.Short, 2),
    I8(ScalarType.Char, 1),
    U64(ScalarType.UInt64, 8),
    U32(ScalarType.UInt32, 4),
    U16(ScalarType.UInt16, 2),
    U8(ScalarType.Byte, 1),
    BOOL(ScalarType.Bool, 1);

    private final ScalarType scalarType;
    private final int bytes;

    DType(ScalarType scalarType, int bytes) {
        this.scalarType = scalarType;
        this.bytes = bytes;
    }

    public ScalarType scalarType() {
        return scalarType;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }

    public boolean isFloat() {
        return switch (this) {
            case F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ -> true;
            default -> false;
        };
    }

    /** The type of a tensor. Use this, since {@code tensor.scalar_type()} cannot be compared with {@code ==}. */
    public static DType of(Tensor tensor) {
        // libtorch hands out a new enum object on every call; intern() finds the constant
        ScalarType type = tensor.scalar_type().intern();
        for (DType candidate : values()) {
            if (candidate.scalarType == type) {
                return candidate;
            }
        }
        throw new LoricaException.Unsupported(
                "tensors of type " + type + " cannot be stored; convert them to F32 first");
    }

    /** Parses a computing type as people write it: {@code float32}, {@code fp32}, {@code bf16}, {@code BF16} … */
    public static DType parse(String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "float32", "fp32", "f32", "float" -> F32;
            case "bfloat16", "bf16" -> BF16;
            case "float16", "fp16", "f16", "half" -> F16;
            case "float64", "f64", "double" -> F64;
            default -> {
                List<String> known = List.of("float32", "bfloat16", "float16", "float64");
                throw new LoricaException.BadInput("unknown dtype '" + name + "'" + Names.didYouMean(name, known)
                        + " (known: " + String.join(", ", known) + ")");
            }
        };
    }

    /** The type a safetensors header names, or an error that lists the known ones. */
    public static DType fromSafetensors(String name) {
        return Arrays.stream(values())
                .filter(type -> type.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new LoricaException.BadInput(
                        "unknown dtype '" + name + "' (known: " + List.of(values()) + ")"));
    }
}
