package io.lorica.tensor;

import org.bytedeco.pytorch.Tensor;

/**
 * A matrix of blocks of consecutive columns, each decoded by itself: ggml's quantized types and {@link Nf4}. It has no
 * packed product: every use decodes.
 */
public final class BlockMatrix implements Quantized {
    private final String format;
    private final Tensor blocks;
    private final int blockBytes;
    private final int blockElements;
    private final Dequantizer.BlockDecoder decoder;

    /** @param blocks bytes {@code [rows, bytes of a row]}, possibly mapped; becomes this object's */
    BlockMatrix(String format, Tensor blocks, int blockBytes, int blockElements, Dequantizer.BlockDecoder decoder) {
        this.format = format;
        this.blocks = blocks;
        this.blockBytes = blockBytes;
        this.blockElements = blockElements;
        this.decoder = decoder;
    }

    @Override
    public long rows() {
        return blocks.size(0);
    }

    @Override
    public long columns() {
        return blocks.size(1) / blockBytes * blockElements;
    }

    @Override
    public String format() {
        return format;
    }

    @Override
    public long bytes() {
        return Tensors.bytes(blocks);
    }

    @Override
    public void writeTo(Tensor out) {
        decode(blocks, out);
    }

    private void decode(Tensor bytes, Tensor out) {
        Dequantizer.decode(NativeBytes.of(bytes), blockBytes, blockElements, decoder, out);
    }

    @Override
    public Tensor lookUp(Tensor ids, DType type) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor out = Tensors.empty(type, ids.numel(), columns());
            decode(blocks.index_select(0, ids), out);
            return scope.keep(out);
        }
    }

    @Override
    public void close() {
        blocks.close();
    }
}
