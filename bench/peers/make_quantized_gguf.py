"""Writes a tiny random Llama as a GGUF file with its matrices in Q4_1 and Q8_0, for the tests of the model module.

Needs gguf 0.19 or newer and numpy:

    python bench/peers/make_quantized_gguf.py --out model/src/test/resources/fixtures/quantized.gguf
"""

import argparse

import gguf
import numpy as np

HIDDEN, WIDE, HEADS, KEYS, LAYERS, VOCABULARY = 64, 96, 4, 2, 2, 64


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(WIDE)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_context_length(64)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCABULARY)

    def matrix(name, rows, columns, kind):
        values = (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def vector(name, size):
        writer.add_tensor(name, (1 + 0.1 * random.standard_normal(size)).astype(np.float32))

    q4, q8 = gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0
    keys = HIDDEN // HEADS * KEYS
    matrix("token_embd.weight", VOCABULARY, HIDDEN, q8)
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        vector(at + "attn_norm.weight", HIDDEN)
        matrix(at + "attn_q.weight", HIDDEN, HIDDEN, q4)
        matrix(at + "attn_k.weight", keys, HIDDEN, q4)
        matrix(at + "attn_v.weight", keys, HIDDEN, q4)
        matrix(at + "attn_output.weight", HIDDEN, HIDDEN, q4)
        vector(at + "ffn_norm.weight", HIDDEN)
        matrix(at + "ffn_gate.weight", WIDE, HIDDEN, q4)
        matrix(at + "ffn_up.weight", WIDE, HIDDEN, q4)
        matrix(at + "ffn_down.weight", HIDDEN, WIDE, q8)
    vector("output_norm.weight", HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
