package io.lorica.tensor;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * NormalFloat of 4 bits (Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs, 2023): {@code Q = a c[q]} with
 * {@code a} the largest absolute value of a block of 64 weights of a row, {@code q} the nearest of 16 codes, no double
 * quantization.
 *
 * <p>The codes are those of bitsandbytes: quantiles of the normal distribution with an exact zero. bitsandbytes lays blocks over the
 * flattened matrix, which is the same where the columns are a multiple of 64, as they must be here. Stored as blocks of
 * 36 bytes: {@code a} as float32, then 32 bytes with two codes each, the earlier in the high half.
 */
final class Nf4 {
    static final int BLOCK = 64;
    private static final int BYTES = Float.BYTES + BLOCK / 2;

    private static final float[] CODES = {
        -1f,
        -0.6961928f,
        -0.52507305f,
        -0.3949175f,
        -0.28444138f,
        -0.18477343f,
        -0.09105004f,
        0f,
        0.0795803f,
        0.1609302f,
        0.2461123f,
        0.33791524f,
        0.44070983f,
        0.5626170f,
        0.72295684f,
        1f
    };

    private Nf4() {}

    static BlockMatrix quantize(Tensor weight) {
        long rows = weight.size(0);
        long columns = weight.size(1);
        if (!Quantized.fitsNf4(rows, columns)) {
            throw new LoricaException.Internal("nf4 needs a multiple of 64 columns, not " + columns);
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor blocks = Tensors.to(weight, DType.F32).reshape(rows, columns / BLOCK, BLOCK);
            Tensor largest = blocks.abs().amax(new long[] {2}, true);
            Tensor divisor = largest.masked_fill(largest.eq(new Scalar(0.0)), new Scalar(1.0));
            Tensor codes = Tensors.to(torch.bucketize(blocks.div(divisor).contiguous(), middles()), DType.U8);
            Tensor pairs = codes.view(rows, columns / BLOCK, BLOCK / 2, 2);
            Tensor packed = pairs.select(3, 0).mul(new Scalar(16)).add(pairs.select(3, 1));
            Tensor scale = largest.contiguous().view(DType.U8.scalarType());
            Tensor bytes = torch.cat(new TensorVector(scale, packed), 2).view(rows, columns / BLOCK * BYTES);
            return new BlockMatrix("nf4", Scope.release(bytes), BYTES, BLOCK, Nf4::decode);
        }
    }

    /** Between each two codes: what is above belongs to the upper one. */
    private static Tensor middles() {
        float[] middles = new float[CODES.length - 1];
        for (int i = 0; i < middles.length; i++) {
            middles[i] = (CODES[i] + CODES[i + 1]) / 2;
        }
        return Tensors.of(middles, middles.length);
    }

    private static void decode(byte[] in, int at, float[] out, int to) {
        float largest = Float.intBitsToFloat(
                (in[at] & 0xff) | (in[at + 1] & 0xff) << 8 | (in[at + 2] & 0xff) << 16 | in[at + 3] << 24);
        float[] values = new float[CODES.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = largest * CODES[i];
        }
        for (int j = 0; j < BLOCK / 2; j++) {
            int pair = in[at + Float.BYTES + j];
            out[to + 2 * j] = values[(pair >> 4) & 15];
            out[to + 2 * j + 1] = values[pair & 15];
        }
    }
}
