"""Writes what training rules of other software compute, for the tests of the modules adapter and train.

    python make_rule_fixtures.py --out ../..

Each part is one safetensors file; the versions used are in its metadata. Small random tensors, fixed seeds.
  lora-fa   PEFT's LoraFAOptimizer on one linear layer: start, gradients of B, B after each step
  adalora   PEFT's RankAllocator over SGD steps with fixed gradients: start, gradients, E and budget after each step,
            and the orthogonality term of PEFT's loss; and two adapters in PEFT's files, with and without pruned ranks,
            as make_adapter_fixtures.py writes them
"""

import argparse
import pathlib

import peft
import torch
from make_adapter_fixtures import logits, shake
from peft import AdaLoraConfig, LoraConfig, get_peft_model
from peft.optimizers import create_lorafa_optimizer
from peft.optimizers import lorafa
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

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


def adalora_model(root, **settings):
    base = AutoModelForCausalLM.from_pretrained(
        root / "model/src/test/resources/fixtures/llama-biases", attn_implementation="eager", dtype=torch.float32)
    config = AdaLoraConfig(lora_alpha=16, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM", **settings)
    return get_peft_model(base.eval(), config).eval()


SCHEDULE = dict(init_r=5, target_r=2, tinit=2, tfinal=3, deltaT=2, total_step=12)


def adalora_steps(root):
    torch.manual_seed(21)
    model = adalora_model(root, **SCHEDULE)
    shake(model)
    learned = {n.removeprefix("base_model.model.").removesuffix(".default"): p
               for n, p in model.named_parameters() if p.requires_grad}
    tensors = {f"start.{n}": p.detach().clone() for n, p in learned.items()}
    ids = torch.arange(3, 9)[None]
    with_term = model(ids, labels=ids).loss
    model.peft_config["default"].orth_reg_weight = 0.0
    tensors["orthogonality"] = (with_term - model(ids, labels=ids).loss).detach().view(1)
    for step in range(1, SCHEDULE["total_step"] + 1):
        for name, parameter in learned.items():
            # Few distinct rows keep the file small: the gradient is an outer product.
            rows = torch.randn(parameter.shape[0], 1)
            columns = torch.randn(1, parameter.shape[1])
            parameter.grad = rows @ columns
            tensors[f"rows.{step}.{name}"], tensors[f"columns.{step}.{name}"] = rows, columns
            parameter.data -= 0.05 * parameter.grad
        model.base_model.update_and_allocate(step)
        for name, parameter in learned.items():
            if name.endswith("lora_E"):
                tensors[f"E.{step}.{name}"] = parameter.detach().clone()
        tensors[f"budget.{step}"] = torch.tensor([model.base_model.rankallocator.budget_schedule(step)[0]])
    return tensors


def adalora_files(root, name, pruned):
    torch.manual_seed(22)
    model = adalora_model(root, **SCHEDULE)
    ids = torch.randint(3, 60, (11,))
    with model.disable_adapter():
        answers = {"ids": ids, "base": logits(model, ids).contiguous().clone()}
    shake(model)
    if pruned:
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter) if parameter.requires_grad else None
        model.base_model.update_and_allocate(8)
        model.base_model.update_and_allocate(9)
    answers["adapted"] = logits(model, ids).contiguous()
    assert (answers["adapted"] - answers["base"]).abs().max() > 0.05
    directory = root / "adapter/src/test/resources/peft" / name
    model.peft_config["default"].base_model_name_or_path = "llama-biases"
    model.save_pretrained(directory)
    (directory / "README.md").unlink(missing_ok=True)
    (directory / "base.txt").write_text("llama-biases\n")
    return answers


PARTS = {
    "train/src/test/resources/fixtures/lora-fa.safetensors": lambda root: lora_fa(),
    "adapter/src/test/resources/rules/adalora.safetensors": adalora_steps,
    "adapter/src/test/resources/peft/adalora/expected.safetensors": lambda root: adalora_files(root, "adalora", False),
    "adapter/src/test/resources/peft/adalora-pruned/expected.safetensors":
        lambda root: adalora_files(root, "adalora-pruned", True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the repository")
    parser.add_argument("--only", help="part of a file's name")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, make in PARTS.items():
        if not arguments.only or arguments.only in name:
            tensors = {key: value.contiguous() for key, value in make(arguments.out).items()}
            (arguments.out / name).parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, arguments.out / name, metadata=VERSIONS)
            print(name)


if __name__ == "__main__":
    main()
