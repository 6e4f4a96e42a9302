"""Writes what training rules of other software compute, for the tests of the modules adapter and train.

    python make_rule_fixtures.py --out ../..

Each part is one safetensors file; the versions used are in its metadata. Small random tensors, fixed seeds.
  lora-fa   PEFT's LoraFAOptimizer on one linear layer: start, gradients of B, B after each step
"""

import argparse
import pathlib

import peft
import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_lorafa_optimizer
from peft.optimizers import lorafa
from safetensors.torch import save_file

VERSIONS = {"torch": torch.__version__, "peft": peft.__version__}


class OneLayer(torch.nn.Module):
    def __init__(self, wide, out):
        super().__init__()
        self.q_proj = torch.nn.Linear(wide, out, bias=False)


def lora_fa(steps=4):
    """PEFT multiplies in bfloat16 on machines that have it, and adds epsilon before the bias correction where torch's
    AdamW adds it after; both are taken out here (float32, epsilon 1e-12), so that the formula is compared."""
    lorafa.is_bf16_available = lambda: False
    torch.manual_seed(11)
    model = get_peft_model(OneLayer(32, 32), LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj"]))
    layer = model.base_model.model.q_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    optimizer = create_lorafa_optimizer(model, r=4, lora_alpha=8, lr=0.01)
    optimizer.param_groups[0]["eps"] = 1e-12
    tensors = {"A": a.detach().clone()}
    for step in range(steps):
        gradient = torch.randn_like(b)
        b.grad = gradient.clone()
        optimizer.step()
        tensors[f"gradient.{step}"] = gradient
        tensors[f"B.{step}"] = b.detach().clone()
    return tensors


PARTS = {"train/src/test/resources/fixtures/lora-fa.safetensors": lora_fa}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the repository")
    parser.add_argument("--only", help="part of a file's name")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, make in PARTS.items():
        if not arguments.only or arguments.only in name:
            save_file({key: value.contiguous() for key, value in make().items()}, arguments.out / name, metadata=VERSIONS)
            print(name)


if __name__ == "__main__":
    main()
