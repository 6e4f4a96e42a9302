"""Writes tiny random T5 models with what transformers computes for them.

For each model a directory: config.json and model.safetensors as transformers saves them (with lm_head.weight where the
head is its own), and expected.safetensors with
  ids.N           int64 [length]            a source
  target.N        int64 [length]            a target, its start token first
  logits.N        float32 [length, vocab]   logits of every target token
  generated.N     int64 [length]            greedy generation with transformers' cache, without the start token
config-hub.json of t5-gated is the same configuration as the checkpoints of version 1.1 have it: tie_word_embeddings
false and no scale_decoder_outputs.

Usage: python make_t5_fixtures.py --out model/src/test/resources/fixtures
Written with torch 2.10.0 and transformers 5.23; the versions used are stored in each expected.safetensors.
"""

import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5ForConditionalGeneration

VOCABULARY = 64
LENGTHS = ((13, 5), (1, 1), (40, 30), (7, 13))  # the longest passes max_distance below
SIZES = dict(
    vocab_size=VOCABULARY, d_model=32, d_kv=6, d_ff=40, num_layers=2, num_heads=4, relative_attention_num_buckets=8,
    relative_attention_max_distance=20, decoder_start_token_id=0)

MODELS = {
    "t5": T5Config(**SIZES | dict(num_layers=3), num_decoder_layers=2),
    "t5-gated": T5Config(**SIZES, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
}


def randomise(model, own_head):
    """Gives every weight a value that a mistake would show."""
    if own_head:
        model.lm_head.weight = torch.nn.Parameter(torch.empty(VOCABULARY, SIZES["d_model"]))
    for name, parameter in model.named_parameters():
        parameter.data.normal_(1.0 if "norm" in name else 0.0, 1.0 if "bias" in name or "shared" in name else 0.15)


@torch.no_grad()
def expected(model):
    answers = {}
    for number, (source, target) in enumerate(LENGTHS):
        ids = torch.randint(3, VOCABULARY, (source,))
        targets = torch.cat([torch.tensor([0]), torch.randint(3, VOCABULARY, (target - 1,))])
        answers[f"ids.{number}"] = ids
        answers[f"target.{number}"] = targets
        answers[f"logits.{number}"] = model(input_ids=ids[None], decoder_input_ids=targets[None]).logits[0].contiguous()
        generated = model.generate(ids[None], max_new_tokens=12, do_sample=False, num_beams=1)
        answers[f"generated.{number}"] = generated[0, 1:].contiguous()
    return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    for seed, (name, config) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config._attn_implementation = "eager"
        model = T5ForConditionalGeneration(config).eval().float()
        own_head = not config.scale_decoder_outputs
        randomise(model, own_head)
        directory = out / name
        model.save_pretrained(directory)
        (directory / "generation_config.json").unlink(missing_ok=True)
        if own_head:
            file = directory / "model.safetensors"
            head = {"lm_head.weight": model.lm_head.weight.detach().clone()}
            save_file(load_file(file) | head, file, metadata={"format": "pt"})
            written = json.loads((directory / "config.json").read_text())
            del written["scale_decoder_outputs"]
            written["tie_word_embeddings"] = False
            (directory / "config-hub.json").write_text(json.dumps(written, indent=2) + "\n")
        answers = expected(model)
        save_file(answers, directory / "expected.safetensors", metadata=versions)
        print(name, [answers[f"generated.{i}"].tolist() for i in range(len(LENGTHS))],
              round(answers["logits.2"].abs().max().item(), 2))


if __name__ == "__main__":
    main()
