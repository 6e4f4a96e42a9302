"""Checks that an exported model directory loads in transformers with the weights of its source.

    lorica models export smollm2-135m-instruct --out DIR --dtype float32
    python bench/peers/check_export.py --export DIR --source FILE.gguf

Compares the logits of several prompts, token ids and the rendered chat template of the export with transformers'
own reading of the source, a GGUF file or a model directory. Exits with 1 above the tolerance.
Written for transformers 5.23, torch 2.10, gguf 0.17.
"""

import argparse
import os
import sys

import torch
import transformers
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The capital of France is",
    "def add(a, b):\n    return",
    "Natalia sold 48 clips in April, and half as many in May. Together that is 72.",
]
CHAT = [{"role": "user", "content": "Name a colour."}]


def load(path, dtype):
    """Model and tokenizer of a directory or of a GGUF file."""
    where, extra = path, {}
    if os.path.isfile(path):
        where, extra = os.path.dirname(os.path.abspath(path)), {"gguf_file": os.path.basename(path)}
    config = transformers.AutoConfig.from_pretrained(where, **extra)
    causal = bool(extra) or any(name.endswith("ForCausalLM") for name in config.architectures or [])
    kind = AutoModelForCausalLM if causal else AutoModel
    model, report = kind.from_pretrained(where, dtype=dtype, output_loading_info=True, **extra)
    missing = {k: v for k, v in report.items() if v and k in ("missing_keys", "mismatched_keys")}
    if missing:
        sys.exit(f"{path}: {missing}")
    return model.eval(), AutoTokenizer.from_pretrained(where, **extra)


def answer(model, ids):
    with torch.no_grad():
        output = model(ids)
    return (output.logits if hasattr(output, "logits") else output.last_hidden_state).float()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    export, export_tokenizer = load(arguments.export, torch.float32)
    source, source_tokenizer = load(arguments.source, torch.float32)
    worst = 0.0
    for prompt in PROMPTS:
        ids = export_tokenizer(prompt).input_ids
        if ids != source_tokenizer(prompt).input_ids:
            sys.exit(f"other tokens for {prompt!r}: {ids} and {source_tokenizer(prompt).input_ids}")
        tensor = torch.tensor([ids])
        worst = max(worst, (answer(export, tensor) - answer(source, tensor)).abs().max().item())
    print(f"largest difference over {len(PROMPTS)} prompts: {worst:.3g} (tolerance {arguments.tolerance:g})")
    if source_tokenizer.chat_template:
        texts = [t.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
                 for t in (export_tokenizer, source_tokenizer)]
        if texts[0] != texts[1]:
            sys.exit(f"other chat text: {texts[0]!r} and {texts[1]!r}")
        print("chat template equal")
    if hasattr(export, "generate") and hasattr(export, "lm_head"):
        ids = torch.tensor([export_tokenizer(PROMPTS[0]).input_ids])
        out = export.generate(ids, do_sample=False, max_new_tokens=8)
        print("greedy:", export_tokenizer.decode(out[0]))
        print("end tokens:", export.generation_config.eos_token_id)
    if worst > arguments.tolerance:
        sys.exit(1)


if __name__ == "__main__":
    main()
