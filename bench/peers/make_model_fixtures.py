"""Writes tiny random models of every family, with what transformers computes for them.

For each model a directory: config.json and model.safetensors as transformers saves them, and expected.safetensors with
  ids.N           int64 [length]            a sequence
  segments.N      int64 [length]            its token types (encoders only)
  logits.N        float32 [length, vocab]   causal models: logits of every token
  hidden.N        float32 [length, hidden]  encoders: the last hidden state
  pooled.N        float32 [hidden]          encoders with a pooler
  scores.N        float32 [labels]          classifiers
Where rope scaling is used, config-old.json holds the same settings as transformers wrote them before version 5
(rope_theta and rope_scaling side by side); the script checks that transformers computes the same from it.

Usage: python make_model_fixtures.py --out model/src/test/resources/fixtures
Written with torch 2.10.0 and transformers 5.23; the versions used are stored in each expected.safetensors.
"""

import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    BertConfig, BertForSequenceClassification, BertModel, GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel,
    LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, RobertaConfig, RobertaForSequenceClassification,
    RobertaModel)

VOCABULARY = 64
LENGTHS = (13, 1, 40, 7)  # the longest passes every window and every original_max_position_embeddings below

DECODER = dict(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
ENCODER = dict(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=64)
GROUPED = dict(num_key_value_heads=2)


def llama(**more):
    return LlamaForCausalLM, LlamaConfig(**DECODER, **more)


MODELS = {
    "llama2": llama(num_key_value_heads=4, rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=1e4)),
    "llama3": llama(**GROUPED, rms_norm_eps=1e-5, rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32)),
    "smollm2": llama(**GROUPED, rms_norm_eps=1e-5, tie_word_embeddings=True,
                     rope_parameters=dict(rope_type="default", rope_theta=1e5)),
    "llama-biases": llama(**GROUPED, head_dim=12, attention_bias=True, mlp_bias=True),
    "linear": llama(**GROUPED, rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=2.5)),
    "yarn": llama(**GROUPED, rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=16)),
    "mistral": (MistralForCausalLM, MistralConfig(**DECODER, **GROUPED, sliding_window=5)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**DECODER, **GROUPED, tie_word_embeddings=True)),
    "qwen2-window": (Qwen2ForCausalLM, Qwen2Config(
        **DECODER, **GROUPED, use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    "gpt2": (GPT2LMHeadModel, GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2)),
    "bert": (BertModel, BertConfig(**ENCODER)),
    "bert-classifier": (BertForSequenceClassification, BertConfig(**ENCODER, num_labels=3, hidden_act="relu")),
    "roberta": (RobertaModel, RobertaConfig(**ENCODER, type_vocab_size=1, hidden_act="gelu_new")),
    "roberta-regression": (RobertaForSequenceClassification, RobertaConfig(**ENCODER, type_vocab_size=1, num_labels=1)),
    "gpt2-scaled": (GPT2LMHeadModel, GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, n_inner=48, activation_function="relu",
        scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True, bos_token_id=1, eos_token_id=2)),
    "llama-classifier": (LlamaForSequenceClassification, LlamaConfig(
        **DECODER, **GROUPED, num_labels=3, pad_token_id=0)),
    "gpt2-regression": (GPT2ForSequenceClassification, GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, num_labels=1, pad_token_id=0)),
}


def randomise(model):
    """Gives every weight, biases and norms too, a value that a mistake would show."""
    for name, parameter in model.named_parameters():
        mean = 1.0 if "norm" in name.lower() and name.endswith("weight") or ".ln_" in name and name.endswith("weight") else 0.0
        deviation = 0.5 if parameter.dim() == 1 and mean == 0.0 else 0.2
        parameter.data.normal_(mean, deviation)


@torch.no_grad()
def expected(model, config):
    kind = config.model_type
    answers = {}
    for number, length in enumerate(LENGTHS):
        ids = torch.randint(3, VOCABULARY, (length,))
        answers[f"ids.{number}"] = ids
        if hasattr(model, "score"):
            answers[f"scores.{number}"] = model(ids[None]).logits[0].contiguous()
            continue
        if kind not in ("bert", "roberta"):
            answers[f"logits.{number}"] = model(ids[None]).logits[0].contiguous()
            continue
        segments = torch.randint(0, config.type_vocab_size, (length,))
        answers[f"segments.{number}"] = segments
        backbone = getattr(model, kind, model)
        output = backbone(ids[None], token_type_ids=segments[None])
        answers[f"hidden.{number}"] = output.last_hidden_state[0].contiguous()
        if output.pooler_output is not None:
            answers[f"pooled.{number}"] = output.pooler_output[0].contiguous()
        if hasattr(model, "classifier"):
            answers[f"scores.{number}"] = model(ids[None], token_type_ids=segments[None]).logits[0].contiguous()
    return answers


def write_old_spelling(directory, kind, answers):
    """The same model described as before transformers 5, if its positions are scaled."""
    config = json.loads((directory / "config.json").read_text())
    rope = dict(config.pop("rope_parameters", None) or {"rope_type": "default"})
    if rope["rope_type"] == "default":
        return
    config["rope_theta"] = rope.pop("rope_theta")
    if rope["rope_type"] == "linear":
        rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = rope
    (directory / "config-old.json").write_text(json.dumps(config, indent=2) + "\n")
    old = kind.from_pretrained(directory, config=LlamaConfig.from_dict(config), attn_implementation="eager").eval()
    with torch.no_grad():
        same = old(answers["ids.2"][None]).logits[0]
    assert torch.equal(same, answers["logits.2"]), directory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    for seed, (name, (kind, config)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config._attn_implementation = "eager"
        model = kind(config).eval().float()
        randomise(model)
        directory = out / name
        model.save_pretrained(directory)
        (directory / "generation_config.json").unlink(missing_ok=True)
        answers = expected(model, config)
        save_file(answers, directory / "expected.safetensors", metadata=versions)
        write_old_spelling(directory, kind, answers)
        size = sum(file.stat().st_size for file in directory.iterdir())
        print(f"{name}: {size / 1000:.0f} kB, largest {max(t.abs().max().item() for t in answers.values() if t.is_floating_point()):.2f}")


if __name__ == "__main__":
    main()
