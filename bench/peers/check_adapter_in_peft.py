"""Loads an adapter that Lorica wrote into Hugging Face PEFT and compares logits with Lorica's.

  lorica logits --model BASE --adapter ADAPTER --text "Some text" --json > lorica.json
  python check_adapter_in_peft.py --base BASE --adapter ADAPTER --logits lorica.json

--logits is {"tokens": [ids], "logits": [floats of the last position]}. Without it the script only checks that PEFT finds
a place for every tensor and none left over. Exits with 1 when something differs by more than --tolerance.
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
    return wrong, sorted(set(held) - set(written)), len(written)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True)
    parser.add_argument("--adapter", type=pathlib.Path, required=True)
    parser.add_argument("--logits", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    arguments = parser.parse_args()
    config = PeftConfig.from_pretrained(arguments.adapter)
    kind = AutoModelForSequenceClassification if config.task_type == "SEQ_CLS" else AutoModelForCausalLM
    base = kind.from_pretrained(arguments.base, dtype=torch.float32, attn_implementation="eager")
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
    sys.exit(bool(wrong or absent or difference > arguments.tolerance))


if __name__ == "__main__":
    main()
