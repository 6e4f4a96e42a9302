package io.lorica.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Turns ggml's quantized blocks into float32, with the arithmetic of ggml's reference code (each product and sum rounded
 * to float32), so that values are bit-equal to it.
 *
 * <p>{@code d}, {@code m} are float16 factors of a block, {@code q} unsigned quants. Works on all cores.
 */
final class Dequantizer {
    private static final int CHUNK_ELEMENTS = 1 << 14;

    private Dequantizer() {}

    /** Decodes one block. */
    @FunctionalInterface
    interface BlockDecoder {
        void decode(byte[] in, int at, float[] out, int to);
    }

    /** The decoder of a quantized type, or null where Lorica has none. */
    static @Nullable BlockDecoder decoder(GgmlType type) {
        return switch (type) {
            case Q8_0 -> Dequantizer::q80;
            case Q4_0 -> Dequantizer::q40;
            case Q4_1 -> Dequantizer::q41;
            case Q5_0 -> Dequantizer::q50;
            case Q5_1 -> Dequantizer::q51;
            case Q4_K -> Dequantizer::q4k;
            case Q5_K -> Dequantizer::q5k;
            case Q6_K -> Dequantizer::q6k;
            default -> null;
        };
    }

    /**
     * Decodes all blocks of {@code blocks} into {@code out}, rounding float32 values once to its type.
     *
     * @param out contiguous, as many elements as the blocks hold
     */
    static void decode(MemorySegment blocks, int blockBytes, int blockElements, BlockDecoder decoder, Tensor out) {
        DType type = DType.of(out);
        if (type != DType.F32 && type != DType.BF16) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                Tensor wide = Tensors.empty(DType.F32, Tensors.shape(out));
                decode(blocks, blockBytes, blockElements, decoder, wide);
                out.copy_(wide);
            }
            return;
        }
        MemorySegment target = NativeBytes.of(out);
        int chunkBlocks = CHUNK_ELEMENTS / blockElements;
        long blockCount = blocks.byteSize() / blockBytes;
        int chunks = Math.toIntExact((blockCount + chunkBlocks - 1) / chunkBlocks);
        // each worker keeps its arrays: new ones for each chunk would make Java's heap grow by the size of the model
        int workers = Math.min(chunks, Runtime.getRuntime().availableProcessors());
        IntStream.range(0, workers).parallel().forEach(worker -> {
            byte[] in = new byte[chunkBlocks * blockBytes];
            float[] values = new float[chunkBlocks * blockElements];
            short[] rounded = new short[type == DType.BF16 ? values.length : 0];
            for (int chunk = worker; chunk < chunks; chunk += workers) {
                long first = (long) chunk * chunkBlocks;
                int count = (int) Math.min(chunkBlocks, blockCount - first);
                MemorySegment.copy(blocks, ValueLayout.JAVA_BYTE, first * blockBytes, in, 0, count * blockBytes);
                for (int i = 0; i < count; i++) {
                    decoder.decode(in, i * blockBytes, values, i * blockElements);
                }
                long offset = first * blockElements * type.bytes();
                store(values, count * blockElements, rounded, target, offset);
            }
        });
    }

    /** @param rounded room for bfloat16, empty where the target is float32 */
    private static void store(float[] values, int count, short[] rounded, MemorySegment target, long offset) {
        if (rounded.length == 0) {
            MemorySegment.copy(values, 0, target, ValueLayout.JAVA_FLOAT_UNALIGNED, offset, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            int bits = Float.floatToRawIntBits(values[i]);
            rounded[i] = (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16); // to nearest, ties to even
        }
        MemorySegment.copy(rounded, 0, target, ValueLayout.JAVA_SHORT_UNALIGNED, offset, count);
    }

    /** {@code d, q[32] signed}: {@code d q}. */
    private static void q80(byte[] in, int at, float[] out, int to) {
        float d = half(in, at);
        for (int j = 0; j < 32; j++) {
            out[to + j] = d * in[at + 2 + j];
        }
    }

    /** {@code d, q[32] of 4 bits}, low halves first: {@code d (q - 8)}. */
    private static void q40(byte[] in, int at, float[] out, int to) {
        float d = half(in, at);
        for (int j = 0; j < 16; j++) {
            int q = in[at + 2 + j];
            out[to + j] = d * ((q & 15) - 8);
            out[to + j + 16] = d * (((q >> 4) & 15) - 8);
        }
    }

    /** {@code d, m, q[32] of 4 bits}, low halves first: {@code d q + m}. */
    private static void q41(byte[] in, int at, float[] out, int to) {
        float d = half(in, at);
        float m = half(in, at + 2);
        for (int j = 0; j < 16; j++) {
            int q = in[at + 4 + j];
            out[to + j] = d * (q & 15) + m;
            out[to + j + 16] = d * ((q >> 4) & 15) + m;
        }
    }

    /** {@code d, h, q[32] of 4 bits}, with bit j of the 32-bit {@code h} as fifth bit of value j: {@code d (q - 16)}. */
    private static void q50(byte[] in, int at, float[] out, int to) {
        float d = half(in, at);
        for (int j = 0; j < 16; j++) {
            out[to + j] = d * (((in[at + 6 + j] & 15) | (bit(in, at + 2, j) << 4)) - 16);
            out[to + j + 16] = d * ((((in[at + 6 + j] >> 4) & 15) | (bit(in, at + 2, j + 16) << 4)) - 16);
        }
    }

    /** {@code d, m, h, q[32] of 4 bits}, with bit j of {@code h} as fifth bit of value j: {@code d q + m}. */
    private static void q51(byte[] in, int at, float[] out, int to) {
        float d = half(in, at);
        float m = half(in, at + 2);
        for (int j = 0; j < 16; j++) {
            out[to + j] = d * ((in[at + 8 + j] & 15) | (bit(in, at + 4, j) << 4)) + m;
            out[to + j + 16] = d * (((in[at + 8 + j] >> 4) & 15) | (bit(in, at + 4, j + 16) << 4)) + m;
        }
    }

    private static int bit(byte[] in, int at, int index) {
        return (in[at + index / 8] >> (index % 8)) & 1;
    }

    /**
     * 256 values: {@code d, dmin}, then 8 scales and 8 minima of 6 bits in 12 bytes, then 128 bytes of quants. Sub-block
     * {@code b} of 32 values: {@code (d scale_b) q - (dmin min_b)}; sub-blocks 2i and 2i+1 are the low and high halves
     * of the same 32 bytes.
     */
    private static void q4k(byte[] in, int at, float[] out, int to) {
        for (int b = 0; b < 8; b++) {
            float scale = half(in, at) * scale(in, at + 4, b);
            float min = half(in, at + 2) * minimum(in, at + 4, b);
            int quants = at + 16 + (b / 2) * 32;
            int shift = (b % 2) * 4;
            for (int j = 0; j < 32; j++) {
                out[to + b * 32 + j] = scale * ((in[quants + j] >> shift) & 15) - min;
            }
        }
    }

    /** As Q4_K, with 32 bytes before the quants: bit {@code b} of byte {@code j} is the fifth bit of value j of sub-block b. */
    private static void q5k(byte[] in, int at, float[] out, int to) {
        for (int b = 0; b < 8; b++) {
            float scale = half(in, at) * scale(in, at + 4, b);
            float min = half(in, at + 2) * minimum(in, at + 4, b);
            int quants = at + 48 + (b / 2) * 32;
            int shift = (b % 2) * 4;
            for (int j = 0; j < 32; j++) {
                int q = ((in[quants + j] >> shift) & 15) | (((in[at + 16 + j] >> b) & 1) << 4);
                out[to + b * 32 + j] = scale * q - min;
            }
        }
    }

    private static int scale(byte[] in, int at, int b) {
        return b < 4 ? in[at + b] & 63 : (in[at + b + 4] & 15) | (((in[at + b - 4] >> 6) & 3) << 4);
    }

    private static int minimum(byte[] in, int at, int b) {
        return b < 4 ? in[at + b + 4] & 63 : ((in[at + b + 4] >> 4) & 15) | (((in[at + b] >> 6) & 3) << 4);
    }

    /**
     * 256 values: 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 signed scales, {@code d}: {@code (d scale) (q -
     * 32)} with one scale for 16 values. Each half of the block keeps value {@code 32 g + j} in nibble {@code g / 2} of
     * low byte {@code 32 (g % 2) + j} and in bit pair {@code g} of high byte {@code j}.
     */
    private static void q6k(byte[] in, int at, float[] out, int to) {
        float d = half(in, at + 208);
        for (int i = 0; i < 8; i++) {
            int low = at + (i / 4) * 64 + (i % 2) * 32;
            int high = at + 128 + (i / 4) * 32;
            int lowShift = ((i % 4) / 2) * 4;
            int highShift = (i % 4) * 2;
            for (int j = 0; j < 32; j++) {
                float scale = d * in[at + 192 + i * 2 + j / 16];
                int q = ((in[low + j] >> lowShift) & 15) | (((in[high + j] >> highShift) & 3) << 4);
                out[to + i * 32 + j] = scale * (q - 32);
            }
        }
    }

    private static float half(byte[] in, int at) {
        return Float.float16ToFloat((short) ((in[at] & 0xff) | (in[at + 1] << 8)));
    }
}
