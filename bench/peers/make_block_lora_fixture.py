"""Writes what Block-LoRA computes by its formulas, each block written out, in float64 and rounded once.

There is no official code. The change of the weight is put together block by block, and the gradient of the shared head is
the sum of the gradients that untied blocks get. expected.safetensors holds, for each case NAME (mode, blocks, r):
  NAME.x [2, 3, in], NAME.w [out, in], NAME.head, NAME.arms [out, r], NAME.change [out, in], NAME.y [2, 3, out],
  NAME.head_grad and NAME.arms_grad of the sum of y * NAME.weights

Usage: python make_block_lora_fixture.py --out adapter/src/test/resources/block-lora
Written with torch 2.10.0; the version used is stored in the file.
"""

import argparse
import pathlib

import torch
from safetensors.torch import save_file

IN, OUT, ALPHA = 24, 16, 3.0
CASES = {"input-8": ("input", 8, 2), "input-4": ("input", 4, 3), "rank-2": ("rank", 2, 4), "single": ("input", 1, 2)}


def change(mode, blocks, heads, arms, r):
    """The change of the weight from untied blocks `heads`, all equal in Block-LoRA."""
    scale = ALPHA / r ** 0.5
    if mode == "rank":
        width = r // blocks
        return scale * sum(arms[:, i * width:(i + 1) * width] @ heads[i] for i in range(blocks))
    height = OUT // blocks
    rows = [torch.cat([arms[i * height:(i + 1) * height] @ heads[j] for j in range(blocks)], 1) for i in range(blocks)]
    return scale * torch.cat(rows, 0)


def case(mode, blocks, r):
    shape = (r // blocks, IN) if mode == "rank" else (r, IN // blocks)
    head = torch.randn(shape)
    heads = [head.clone().requires_grad_() for _ in range(blocks)]
    arms = torch.randn(OUT, r, requires_grad=True)
    x, w, weights = torch.randn(2, 3, IN), torch.randn(OUT, IN), torch.randn(2, 3, OUT)
    delta = change(mode, blocks, heads, arms, r)
    y = x @ (w + delta).T
    (y * weights).sum().backward()
    return {"x": x, "w": w, "head": head, "arms": arms, "change": delta, "y": y, "weights": weights,
            "head_grad": sum(part.grad for part in heads), "arms_grad": arms.grad}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    tensors = {f"{name}.{key}": value.detach().float().contiguous()
               for name, settings in CASES.items() for key, value in case(*settings).items()}
    save_file(tensors, out / "expected.safetensors", metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
