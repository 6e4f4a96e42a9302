"""Writes what the formulas of NOLA and MoS give for small random layers, from explicit bases and tables.

  nola.safetensors   both forms: coefficients, seeds of torch's CPU generator, A, B, output, and autograd's gradients
  mos.safetensors    pools, index tables of two layers, assembled A and B, outputs, and autograd's gradients of the pools

Formulas: NOLA, model_nola.py (language) and NOLA.py (vision) of UCDvision/NOLA; MoS, Tied_LoRA.py of Forence1999/MoS; written anew.
Usage: python make_mix_fixtures.py --out adapter/src/test/resources/forms
Written with torch 2.10.0.
"""

import argparse
import math
import pathlib

import torch
from safetensors.torch import save_file


def uniform(seed, bound, *shape):
    return torch.empty(shape).uniform_(-bound, bound, generator=torch.Generator().manual_seed(seed))


def nola(form, rows_in=12, rows_out=10, r=3, ka=7, kb=7 + 4):
    """One layer; the sum over the basis is written with every matrix in memory."""
    seeds = [11, 12, 13]
    kb = ka if form == "lm" else kb
    alpha = torch.randn(ka, requires_grad=True)
    beta = torch.randn(kb, requires_grad=True)
    if form == "lm":
        start = uniform(seeds[2], 1 / math.sqrt(rows_in), r, rows_in)
        basis_a = uniform(seeds[0], 1, ka, r, rows_in)
        basis_b = uniform(seeds[1], 1, kb, rows_out, r)
        a = start + torch.einsum("k,kij->ij", alpha, basis_a) / math.sqrt(ka)
        b = torch.einsum("k,kij->ij", beta, basis_b) / math.sqrt(kb)
    else:
        basis_a = uniform(seeds[0], 1 / math.sqrt(rows_in * r), ka, rows_in, r)
        basis_b = uniform(seeds[1], 1 / math.sqrt(r * rows_out), kb, r, rows_out)
        a = torch.einsum("k,kij->ij", alpha, basis_a).t()
        b = torch.einsum("k,kij->ij", beta, basis_b).t()
    x = torch.randn(4, rows_in)
    y = x @ a.t() @ b.t()
    y.sin().sum().backward()
    out = {"alpha": alpha, "beta": beta, "seeds": torch.tensor(seeds), "a": a, "b": b, "x": x, "y": y,
           "dalpha": alpha.grad, "dbeta": beta.grad}
    return {f"{form}.{key}": value.detach().contiguous().clone() for key, value in out.items()}


def mos(layers=2, r=4, e=2, p=1, shards=2, rows_in=12, rows_out=8):
    """Shards, tables and assembly with plain loops."""
    count = e * layers * shards
    public = (e - p) * layers * shards
    pool_a = torch.randn(count, rows_in // shards, requires_grad=True)
    pool_b = torch.randn(count, rows_out // shards, requires_grad=True)
    out = {"pool_a": pool_a, "pool_b": pool_b}
    loss = 0
    for layer in range(layers):
        private = torch.arange(p * shards) + public + layer * p * shards
        tables = [torch.cat([torch.randperm(public)[: (r - p) * shards], private]) for _ in range(2)]
        a = torch.stack([torch.cat([pool_a[tables[0][v * shards + c]] for c in range(shards)]) for v in range(r)])
        b = torch.stack([torch.cat([pool_b[tables[1][v * shards + c]] for c in range(shards)]) for v in range(r)]).t()
        x = torch.randn(4, rows_in)
        y = (16 / r) * x @ a.t() @ b.t()
        loss = loss + y.sin().sum()
        out |= {f"{layer}.ia": tables[0], f"{layer}.ib": tables[1], f"{layer}.a": a, f"{layer}.b": b, f"{layer}.x": x, f"{layer}.y": y}
    loss.backward()
    out |= {"dpool_a": pool_a.grad, "dpool_b": pool_b.grad}
    return {key: value.detach().contiguous().clone() for key, value in out.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    versions = {"torch": torch.__version__}
    torch.manual_seed(0)
    save_file(nola("lm") | nola("vit"), arguments.out / "nola.safetensors", metadata=versions)
    save_file(mos(r=3), arguments.out / "mos.safetensors", metadata=versions)


if __name__ == "__main__":
    main()
