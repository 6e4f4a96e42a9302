"""Writes adapters of PEFT's methods beyond LoRA (VeRA, RandLoRA, MiSS, LoHa, LoKr), in the form of make_adapter_fixtures.py.

Usage: python make_form_fixtures.py --models model/src/test/resources/fixtures --out adapter/src/test/resources/peft
Written with torch 2.10.0, transformers 5.23 and peft 0.21.2; the versions used are stored in each expected.safetensors.
"""

import argparse
import pathlib

import peft
import torch
import transformers
from peft import LoHaConfig, LoKrConfig, MissConfig, RandLoraConfig, VeraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from make_adapter_fixtures import CAUSAL, logits

TARGETS = ["q_proj", "down_proj"]

ADAPTERS = {
    "vera": ("llama-biases", VeraConfig(r=6, target_modules=TARGETS, **CAUSAL)),
    "vera-seed": ("llama2", VeraConfig(
        r=6, d_initial=0.3, projection_prng_key=42, save_projection=False, target_modules=["k_proj", "up_proj"], **CAUSAL)),
    "vera-bias": ("llama-biases", VeraConfig(r=3, bias="vera_only", target_modules=["q_proj"], **CAUSAL)),
    "vera-gpt2": ("gpt2", VeraConfig(r=4, fan_in_fan_out=True, target_modules=["c_attn", "c_fc"], **CAUSAL)),
    "miss": ("llama-biases", MissConfig(r=4, target_modules=TARGETS, **CAUSAL)),
    "miss-remainder": ("llama-biases", MissConfig(r=10, bias="MiSS_only", target_modules=TARGETS, **CAUSAL)),
    "miss-mini": ("llama2", MissConfig(r=8, mini_r=4, init_weights="mini", target_modules=["k_proj", "up_proj"], **CAUSAL)),
    "miss-bat": ("llama-biases", MissConfig(r=8, init_weights="bat", target_modules=TARGETS, **CAUSAL)),
    "loha": ("llama-biases", LoHaConfig(r=3, alpha=6, target_modules=TARGETS, **CAUSAL)),
    "loha-patterns": ("llama2", LoHaConfig(
        r=8, target_modules=["k_proj", "up_proj"], rank_pattern={"up_proj": 2}, alpha_pattern={"k_proj": 4}, **CAUSAL)),
    "lokr": ("llama-biases", LoKrConfig(r=2, alpha=4, target_modules=TARGETS, **CAUSAL)),
    "lokr-both": ("llama2", LoKrConfig(
        r=1, alpha=2, decompose_both=True, decompose_factor=8, target_modules=["k_proj", "up_proj"], **CAUSAL)),
    "lokr-full": ("llama2", LoKrConfig(r=16, alpha=16, init_weights="lycoris", target_modules=["q_proj"], **CAUSAL)),
    "randlora": ("llama-biases", RandLoraConfig(r=5, target_modules=TARGETS, **CAUSAL)),
    "randlora-seed": ("llama2", RandLoraConfig(
        r=8, randlora_alpha=16, projection_prng_key=3, save_projection=False, target_modules=["k_proj", "up_proj"], **CAUSAL)),
    "randlora-sparse": ("llama-biases", RandLoraConfig(
        r=6, randlora_alpha=12, sparse=True, save_projection=False, target_modules=TARGETS, **CAUSAL)),
    "randlora-very-sparse": ("llama-biases", RandLoraConfig(
        r=6, randlora_alpha=12, very_sparse=True, target_modules=["q_proj"], **CAUSAL)),
}

SPREAD = {"randlora": 0.02, "vera": 0.5, "miss": 0.1, "loha": 0.2, "lokr": 0.2}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="start of the names to write; all by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    for name, (base, config) in ADAPTERS.items():
        if not name.startswith(arguments.only):
            continue
        torch.manual_seed(sum(map(ord, name)))
        model = AutoModelForCausalLM.from_pretrained(
            arguments.models / base, attn_implementation="eager", dtype=torch.float32).eval()
        ids = torch.randint(3, model.config.vocab_size, (11,))
        answers = {"ids": ids, "base": logits(model, ids).contiguous().clone()}
        adapted = get_peft_model(model, config).eval()
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data.add_(torch.randn_like(parameter) * SPREAD[name.split("-")[0]])
        answers["adapted"] = logits(adapted, ids).contiguous()
        assert (answers["adapted"] - answers["base"]).abs().max() > 0.05, name
        directory = arguments.out / name
        adapted.peft_config["default"].base_model_name_or_path = base
        adapted.save_pretrained(directory)
        (directory / "README.md").unlink(missing_ok=True)
        (directory / "base.txt").write_text(base + "\n")
        save_file(answers, directory / "expected.safetensors", metadata=versions)
        print(name, float((answers["adapted"] - answers["base"]).abs().max()))


if __name__ == "__main__":
    main()
