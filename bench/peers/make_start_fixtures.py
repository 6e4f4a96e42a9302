"""Writes adapters of methods that start from weights or data (PiSSA, EVA) with PEFT, in the form of make_adapter_fixtures.py.

Besides ids, base and adapted, each expected.safetensors holds the factors right after initialization as
start.<key of the adapter file>; eva's also hold the sequences it looked at as data [16, 12], in batches of four, all but the
first three tokens of each supervised.

Usage: python make_start_fixtures.py --models model/src/test/resources/fixtures --out adapter/src/test/resources/peft
Written with torch 2.10.0, transformers 5.23 and peft 0.21.2; the versions used are stored in each expected.safetensors.
"""

import argparse
import pathlib

import peft
import torch
import transformers
from peft import EvaConfig, LoraConfig, get_peft_model, get_peft_model_state_dict, initialize_lora_eva_weights
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from make_adapter_fixtures import CAUSAL, logits

TARGETS = ["q_proj", "down_proj"]

ADAPTERS = {
    "pissa": ("llama-biases", LoraConfig(r=4, lora_alpha=8, init_lora_weights="pissa", target_modules=TARGETS, **CAUSAL)),
    "pissa-gpt2": ("gpt2", LoraConfig(
        r=4, lora_alpha=6, use_rslora=True, fan_in_fan_out=True, init_lora_weights="pissa", target_modules=["c_attn"], **CAUSAL)),
    "eva": ("llama-biases", LoraConfig(
        r=4, lora_alpha=8, init_lora_weights="eva", eva_config=EvaConfig(rho=2.0),
        target_modules=["q_proj", "k_proj", "down_proj"], **CAUSAL)),
    "eva-redistributed": ("llama-biases", LoraConfig(
        r=2, lora_alpha=4, init_lora_weights="eva", eva_config=EvaConfig(rho=3.0),
        target_modules=["q_proj", "k_proj", "o_proj", "down_proj"], **CAUSAL)),
}


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
        if config.init_lora_weights == "eva":
            data = torch.randint(3, model.config.vocab_size, (16, 12))
            answers["data"] = data
            labels = data.clone()
            labels[:, :3] = -100
            batches = [{"input_ids": data[i:i + 4], "labels": labels[i:i + 4]} for i in range(0, 16, 4)]
            initialize_lora_eva_weights(adapted, batches)
        for key, value in get_peft_model_state_dict(adapted).items():
            answers["start." + key] = value.detach().clone().contiguous()
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data.add_(torch.randn_like(parameter) * 0.1)
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
