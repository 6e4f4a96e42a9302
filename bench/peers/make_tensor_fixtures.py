"""Writes the small tensor files that the tests of `tensor` compare with.

    python make_tensor_fixtures.py --out tensor/src/test/resources/fixtures

quants.gguf                 one tensor of each block type, float types, and metadata of every value type (gguf-py)
quants.expected.safetensors the same tensors as float32, dequantized by gguf-py
types.safetensors           tensors of every common dtype (safetensors), whose bytes Lorica's writer must reproduce

Random numbers are seeded; the versions used are printed and stored in the metadata of each file.
Used: gguf 0.19.0, safetensors 0.8.0, numpy 2.4.6, torch 2.10.0.
"""

import argparse
import importlib.metadata
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch

VERSIONS = " ".join(f"{name}={importlib.metadata.version(name)}" for name in ("gguf", "safetensors", "numpy", "torch"))

# K types have no quantizer in gguf-py: blocks of random bytes with the float16 factors at these byte offsets made tame
K_FACTORS = {Q.Q4_K: (0, 2), Q.Q5_K: (0, 2), Q.Q6_K: (208,)}


def random_blocks(rng, quant, rows, columns):
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[quant]
    blocks = rng.integers(0, 256, (rows * columns // block_elements, block_bytes), dtype=np.uint8)
    for at in K_FACTORS[quant]:
        factor = rng.normal(scale=0.01, size=(len(blocks), 1)).astype(np.float16)
        blocks[:, at : at + 2] = factor.view(np.uint8)
    return blocks.reshape(rows, -1)


def write_quants(out, rng):
    writer = gguf.GGUFWriter(out / "quants.gguf", "llama")
    writer.add_string("versions", VERSIONS)
    writer.add_uint8("t.u8", 200)
    writer.add_int8("t.i8", -100)
    writer.add_uint16("t.u16", 60000)
    writer.add_int16("t.i16", -30000)
    writer.add_uint32("t.u32", 4000000000)
    writer.add_int32("t.i32", -2000000000)
    writer.add_float32("t.f32", 1e-5)
    writer.add_uint64("t.u64", 2**64 - 1)
    writer.add_int64("t.i64", -(2**62))
    writer.add_float64("t.f64", 0.1)
    writer.add_bool("t.bool", True)
    writer.add_string("t.string", "Grüße, 世界")
    writer.add_array("t.strings", ["<s>", "ä", ""])
    writer.add_array("t.ints", [1, -2, 3])
    writer.add_array("t.floats", [0.5, -1.5])
    expected = {}
    for quant in (Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0):
        values = rng.normal(size=(3, 64)).astype(np.float32)
        raw = gguf.quants.quantize(values, quant)
        writer.add_tensor(quant.name, raw, raw_dtype=quant)
        expected[quant.name] = gguf.quants.dequantize(raw, quant)
    for quant in K_FACTORS:
        raw = random_blocks(rng, quant, 2, 512)
        writer.add_tensor(quant.name, raw, raw_dtype=quant)
        expected[quant.name] = gguf.quants.dequantize(raw, quant)
    for quant in (Q.F32, Q.F16, Q.BF16):
        raw = gguf.quants.quantize(rng.normal(size=(2, 3, 5)).astype(np.float32), quant)
        writer.add_tensor(quant.name, raw, raw_dtype=quant)
        expected[quant.name] = gguf.quants.dequantize(raw, quant)
    raw = rng.integers(0, 256, (2, 110), dtype=np.uint8)
    writer.add_tensor("unsupported", raw, raw_dtype=Q.Q3_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in expected.items()}
    save_numpy(expected, out / "quants.expected.safetensors", metadata={"versions": VERSIONS})


def write_types(out):
    names = (
        "float64 float32 float16 bfloat16 float8_e4m3fn float8_e5m2 float8_e8m0fnu int64 int32 int16 int8 "
        "uint64 uint32 uint16 uint8 bool complex64"
    ).split()
    generator = torch.Generator().manual_seed(7)
    tensors = {}
    for name in names:
        dtype = getattr(torch, name)
        limit = 2 if dtype is torch.bool else 256
        raw = torch.randint(0, limit, (2, 3 * dtype.itemsize), dtype=torch.uint8, generator=generator)
        tensors[name] = raw.view(dtype)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["ünïcode \"quoted\""] = torch.arange(3)
    save_torch(tensors, out / "types.safetensors", metadata={"versions": VERSIONS})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    write_quants(out, np.random.default_rng(7))
    write_types(out)
    print(VERSIONS)


if __name__ == "__main__":
    main()
