"""Loads an adapter that Lorica wrote into Hugging Face PEFT and compares logits with Lorica's.

  lorica logits --model BASE --adapter ADAPTER --text "Some text" --json > lorica.json
  python check_adapter_in_peft.py --base BASE --adapter ADAPTER --logits lorica.json

--logits is {"tokens": [ids], "logits": [floats of the last position]}. Whether or not it is given, the self-test that
Lorica stores beside an adapter it trained is replayed, and PEFT must find a place for every tensor with none left over. Exits with 1 when something differs by more than --tolerance.
Written with torch 2.10.0, transformers 5.23 and peft 0.21.2.
"""

import argparse
import json
import pathlib
import sys

import torch
from peft import PeftConfig, get_peft_model_state_dict, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification


def unmatched(model, adapter):
    """Tensors of the file that PEFT does not hold with equal values, and those it holds that the file lacks."""
    written = load_file(adapter / "adapter_model.safetensors")
    held = get_peft_model_state_dict(model, save_embedding_layers=False)
    wrong = [key for key, value in written.items() if key not in held or not torch.equal(held[key].float().cpu(), value)]
    found = {held[key].data_ptr() for key in written if key in held}  # RandLoRA's bases: one storage under many keys
    missing = [key for key in sorted(set(held) - set(written)) if held[key].data_ptr() not in found]
    return wrong, missing, len(written)


def labels(adapter):
    """Scores of a classifier's head, which PEFT wants to be told."""
    written = load_file(adapter / "adapter_model.safetensors")
    heads = (".score.weight", ".classifier.weight", ".classifier.out_proj.weight")
    return next(value.shape[0] for key, value in written.items() if key.endswith(heads))


def replay(model, file):
    """The largest difference from the logits that Lorica recorded when training ended."""
    recorded = load_file(file)
    worst = 0.0
    for number in range(sum(key.startswith("tokens.") for key in recorded)):
        answer = model(recorded[f"tokens.{number}"][None]).logits[0]
        last = answer[-1] if answer.dim() == 2 else answer
        worst = max(worst, (last[recorded[f"indices.{number}"]] - recorded[f"adapted.{number}"]).abs().max().item())
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True)
    parser.add_argument("--adapter", type=pathlib.Path, required=True)
    parser.add_argument("--logits", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    arguments = parser.parse_args()
    config = PeftConfig.from_pretrained(arguments.adapter)
    if config.task_type == "SEQ_CLS":
        kind, more = AutoModelForSequenceClassification, dict(num_labels=labels(arguments.adapter))
    else:
        kind, more = AutoModelForCausalLM, {}
    base = kind.from_pretrained(arguments.base, dtype=torch.float32, attn_implementation="eager", **more)
    base.config.pad_token_id = base.config.pad_token_id or 0
    model = PeftModel.from_pretrained(base, arguments.adapter).eval()
    wrong, absent, count = unmatched(model, arguments.adapter)
    print(f"{count - len(wrong)} of {count} tensors found their place in PEFT")
    for key in wrong:
        print(f"  not held as written: {key}")
    for key in absent:
        print(f"  PEFT expects, but the file lacks: {key}")
    difference = 0.0
    if arguments.logits:
        answer = json.loads(arguments.logits.read_text())
        with torch.no_grad():
            ours = model(torch.tensor([answer["tokens"]])).logits[0]
        last = ours[-1] if ours.dim() == 2 else ours
        difference = (last - torch.tensor(answer["logits"])).abs().max().item()
        print(f"largest difference of {last.numel()} logits: {difference:.3g}")
    if (arguments.adapter / "selftest.safetensors").exists():
        with torch.no_grad():
            replayed = replay(model, arguments.adapter / "selftest.safetensors")
        print(f"largest difference from the self-test: {replayed:.3g}")
        difference = max(difference, replayed)
    sys.exit(bool(wrong or absent or difference > arguments.tolerance))


if __name__ == "__main__":
    main()
