"""Writes adapters with Hugging Face PEFT on the tiny models of make_model_fixtures.py, with what PEFT computes for them.

For each adapter a directory: adapter_config.json and adapter_model.safetensors as PEFT saves them, base.txt with the
name of the base model's directory, and expected.safetensors with
  ids          int64 [length]
  base         float32 [length, vocab] or [1, labels]   the base model's logits
  adapted      float32, same shape                      the adapted model's logits
Every tensor of an adapter is non-zero, so that a tensor that is not applied changes the logits.

Usage: python make_adapter_fixtures.py --models model/src/test/resources/fixtures --out adapter/src/test/resources/peft
Written with torch 2.10.0, transformers 5.23 and peft 0.21.2; the versions used are stored in each expected.safetensors.
"""

import argparse
import pathlib

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

CAUSAL = dict(task_type="CAUSAL_LM")

ADAPTERS = {
    "plain": ("llama2", LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], **CAUSAL)),
    "rslora": ("llama2", LoraConfig(r=4, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "o_proj"], **CAUSAL)),
    "dora": ("llama-biases", LoraConfig(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "down_proj"], **CAUSAL)),
    "patterns": ("llama2", LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "up_proj"],
        rank_pattern={"v_proj": 2, r".*layers\.1\.mlp\.up_proj": 3},
        alpha_pattern={r"layers.0.self_attn.q_proj": 3, "up_proj": 5}, **CAUSAL)),
    "regex": ("llama2", LoraConfig(r=2, target_modules=r".*\.1\.(self_attn\.[kq]_proj|mlp\.gate_proj)", **CAUSAL)),
    "all-linear": ("smollm2", LoraConfig(r=2, target_modules="all-linear", **CAUSAL)),
    "modules-bias-all": ("llama-biases", LoraConfig(
        r=2, target_modules=["q_proj"], modules_to_save=["lm_head", "norm"], bias="all", **CAUSAL)),
    "bias-lora-only": ("llama-biases", LoraConfig(r=2, target_modules=["q_proj", "gate_proj"], bias="lora_only", **CAUSAL)),
    "embeddings": ("llama2", LoraConfig(r=3, lora_alpha=5, target_modules=["embed_tokens", "k_proj"], **CAUSAL)),
    "tied-embedding": ("smollm2", LoraConfig(r=3, lora_alpha=5, target_modules=["embed_tokens"], **CAUSAL)),
    "gpt2": ("gpt2", LoraConfig(r=4, fan_in_fan_out=True, target_modules=["c_attn", "c_fc"], **CAUSAL)),
    "gpt2-dora": ("gpt2", LoraConfig(r=4, fan_in_fan_out=True, use_dora=True, target_modules=["c_attn"], **CAUSAL)),
    "layers": ("llama2", LoraConfig(
        r=2, target_modules=["q_proj", "down_proj"], layers_to_transform=[1], layers_pattern="layers", **CAUSAL)),
    "exclude": ("llama2", LoraConfig(r=2, target_modules=["q_proj", "k_proj"], exclude_modules=r".*\.0\..*", **CAUSAL)),
    "lora-bias": ("llama-biases", LoraConfig(r=2, lora_bias=True, target_modules=["q_proj", "v_proj"], **CAUSAL)),
    "olora": ("llama2", LoraConfig(r=4, lora_alpha=8, init_lora_weights="olora", target_modules=["q_proj"], **CAUSAL)),
    "classifier": ("bert-classifier", LoraConfig(r=4, target_modules=["query", "value"], task_type="SEQ_CLS")),
}


def shake(model):
    """Adds noise to whatever PEFT trains, so that nothing stays at zero or at the base's value."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spread = 0.1 if "magnitude" in name or "olora" in name else 0.2
            parameter.data.add_(torch.randn_like(parameter) * spread)


@torch.no_grad()
def logits(model, ids):
    return model(ids[None]).logits[0].reshape(-1, model.config.num_labels if model.config.model_type == "bert" else model.config.vocab_size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    for seed, (name, (base, config)) in enumerate(ADAPTERS.items()):
        torch.manual_seed(100 + seed)
        kind = AutoModelForSequenceClassification if config.task_type == "SEQ_CLS" else AutoModelForCausalLM
        model = kind.from_pretrained(arguments.models / base, attn_implementation="eager", dtype=torch.float32).eval()
        ids = torch.randint(3, model.config.vocab_size, (11,))
        answers = {"ids": ids, "base": logits(model, ids).contiguous().clone()}
        adapted = get_peft_model(model, config).eval()
        shake(adapted)
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
