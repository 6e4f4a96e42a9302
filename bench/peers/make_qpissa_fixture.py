"""Writes what QPiSSA's formulas give on one matrix: the start of the factors and the quantized residual.

A weight w [64, 128] with singular values 1 / j, decomposed at rank 4 with scaling 2 (lora_alpha 8). For 1 and 3 alternations:

  product.<iter>   s B0 A0, which has no arbitrary signs
  residual.<iter>  the dequantized nf4 residual
  error.<iter>     nuclear norm of w - residual - product

and error.plain, that of w - nf4(w). NF4 is written out as a search among 16 codes: blocks of 64 in a row, no double
quantization. Decompositions are in float64 and rounded to float32 before they are used.

Usage: python make_qpissa_fixture.py --out adapter/src/test/resources/qpissa
Written with torch 2.10.0; the version used is stored in the file.
"""

import argparse
import pathlib

import torch
from safetensors.torch import save_file

CODES = torch.tensor([
    -1, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0,
    0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.5626170, 0.72295684, 1])
OUT, IN, RANK, SCALING = 64, 128, 4, 2.0


def rounded(matrix):
    blocks = matrix.reshape(-1, 64)
    largest = blocks.abs().max(dim=1, keepdim=True).values
    nearest = (blocks / largest).unsqueeze(-1).sub(CODES).abs().argmin(dim=-1)
    return (CODES[nearest] * largest).reshape(matrix.shape)


def principal(matrix):
    u, s, vt = torch.linalg.svd(matrix.double(), full_matrices=False)
    root = (s[:RANK] / SCALING).sqrt()
    return ((SCALING * (u[:, :RANK] * root)) @ (root[:, None] * vt[:RANK])).float()


def start(w, rounds):
    target = w
    for _ in range(rounds):
        product = principal(target)
        residual = rounded(w - product)
        target = w - residual
    return product, residual


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.manual_seed(5)
    u = torch.linalg.qr(torch.randn(OUT, OUT, dtype=torch.float64)).Q
    v = torch.linalg.qr(torch.randn(IN, OUT, dtype=torch.float64)).Q
    w = (u @ torch.diag(1 / torch.arange(1, OUT + 1, dtype=torch.float64)) @ v.T).float()
    tensors = {"w.weight": w, "error.plain": torch.linalg.matrix_norm(w - rounded(w), "nuc")}
    for rounds in (1, 3):
        product, residual = start(w, rounds)
        tensors[f"product.{rounds}"] = product
        tensors[f"residual.{rounds}"] = residual
        tensors[f"error.{rounds}"] = torch.linalg.matrix_norm(w - residual - product, "nuc")
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out / "nf4.safetensors",
              metadata={"torch": torch.__version__})
    print({name: tensor.item() for name, tensor in tensors.items() if tensor.dim() == 0})


if __name__ == "__main__":
    main()
