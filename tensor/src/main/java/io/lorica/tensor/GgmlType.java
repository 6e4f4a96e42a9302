package io.lorica.tensor;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Element types of GGUF files, by ggml's names and numbers. Quantized types store blocks of {@code blockElements} values
 * in {@code blockBytes} bytes. Types that Lorica cannot dequantize are listed all the same, so that files with them can
 * be inspected.
 */
enum GgmlType {
    F32(0, DType.F32),
    F16(1, DType.F16),
    Q4_0(2, 32, 18),
    Q4_1(3, 32, 20),
    Q5_0(6, 32, 22),
    Q5_1(7, 32, 24),
    Q8_0(8, 32, 34),
    Q8_1(9, 32, 40),
    Q2_K(10, 256, 84),
    Q3_K(11, 256, 110),
    Q4_K(12, 256, 144),
    Q5_K(13, 256, 176),
    Q6_K(14, 256, 210),
    Q8_K(15, 256, 292),
    IQ2_XXS(16, 256, 66),
    IQ2_XS(17, 256, 74),
    IQ3_XXS(18, 256, 98),
    IQ1_S(19, 256, 50),
    IQ4_NL(20, 32, 18),
    IQ3_S(21, 256, 110),
    IQ2_S(22, 256, 82),
    IQ4_XS(23, 256, 136),
    I8(24, DType.I8),
    I16(25, DType.I16),
    I32(26, DType.I32),
    I64(27, DType.I64),
    F64(28, DType.F64),
    IQ1_M(29, 256, 56),
    BF16(30, DType.BF16),
    TQ1_0(34, 256, 54),
    TQ2_0(35, 256, 66),
    MXFP4(39, 32, 17);

    private final int id;
    private final int blockElements;
    private final int blockBytes;
    private final @Nullable DType plain;

    GgmlType(int id, DType plain) {
        this.id = id;
        this.blockElements = 1;
        this.blockBytes = plain.bytes();
        this.plain = plain;
    }

    GgmlType(int id, int blockElements, int blockBytes) {
        this.id = id;
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
        this.plain = null;
    }

    static Optional<GgmlType> of(int id) {
        return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
    }

    /** The names that {@link GgufFile#read} can give, for messages. */
    static String supported() {
        return Arrays.stream(values())
                .filter(type -> type.plain != null || Dequantizer.decoder(type) != null)
                .map(GgmlType::name)
                .collect(Collectors.joining(", "));
    }

    int id() {
        return id;
    }

    int blockElements() {
        return blockElements;
    }

    int blockBytes() {
        return blockBytes;
    }

    /** The type of a view, for types that are not quantized. */
    @Nullable
    DType plain() {
        return plain;
    }
}
