"""Writes tiny encoders and a decoder with classifiers that Hugging Face PEFT trained on them.

For each a directory:
  base/          config.json, model.safetensors, tokenizer.json of a bare random model and a tokenizer of whole words
  start/         the adapter before training, as PEFT saves it, every tensor non-zero
  trained/       the same after STEPS steps of AdamW
  rows.jsonl     the data: label is the topic of the words, or (regression) the share of one topic
  expected.json  loss of each step, scores of the first rows before and after, versions

Usage: python make_classifier_fixtures.py --out train/src/test/resources/classifier
Written with torch 2.10.0, transformers 5.23 and peft 0.21.2.
"""

import argparse
import json
import pathlib
import random

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification, BertConfig, BertModel, LlamaConfig, LlamaModel, PreTrainedTokenizerFast,
    RobertaConfig, RobertaModel)

SPECIALS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
TOPICS = {
    "food": "bread soup cheese apple rice spoon oven taste lunch salt".split(),
    "sport": "ball goal team match score coach race field jump win".split(),
    "sky": "star moon cloud rain wind sun storm comet night light".split(),
}
WORDS = SPECIALS + [word for words in TOPICS.values() for word in words] + "the a of and in".split()
STEPS, BATCH, RATE = 8, 8, 5e-3
SIZES = dict(
    vocab_size=len(WORDS), hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
    max_position_embeddings=40, pad_token_id=0)
NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

KINDS = {
    "bert": (BertModel, BertConfig(**SIZES, **NO_DROPOUT), True, dict(target_modules=["query", "value"])),
    "roberta": (RobertaModel, RobertaConfig(**SIZES, **NO_DROPOUT, type_vocab_size=1), False,
                dict(target_modules="all-linear")),
    "llama": (LlamaModel, LlamaConfig(**SIZES, num_key_value_heads=1, bos_token_id=1, eos_token_id=2), False,
              dict(target_modules=["q_proj", "v_proj"])),
}


def tokenizer(pairs, decoder):
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    end = "" if decoder else " [SEP]"
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A" + end, pair="[CLS] $A [SEP] $B:1 [SEP]:1" if pairs else None,
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]")


def sentence(generator, topic, length):
    own = TOPICS[topic] if topic else [word for words in TOPICS.values() for word in words]
    return " ".join(generator.choice(own if generator.random() < 0.6 else WORDS[-5:]) for _ in range(length))


def rows(kind, regression):
    generator = random.Random(3)
    answer = []
    for _ in range(STEPS * BATCH):
        topic = generator.choice(list(TOPICS))
        if regression:
            text = sentence(generator, None, generator.randint(4, 10))
            share = sum(word in TOPICS["food"] for word in text.split()) / len(text.split())
            answer.append({"text": text, "label": round(share, 3)})
        elif kind == "bert":
            answer.append({"sentence1": sentence(generator, topic, generator.randint(2, 6)),
                           "sentence2": sentence(generator, topic, generator.randint(2, 6)), "label": topic})
        else:
            answer.append({"text": sentence(generator, topic, generator.randint(3, 10)), "label": topic})
    return answer


def texts(row):
    return (row["sentence1"], row["sentence2"]) if "sentence1" in row else (row["text"],)


def scores(model, words, row):
    encoded = words(*texts(row), return_tensors="pt", return_token_type_ids=len(texts(row)) == 2)
    return model(**encoded).logits[0]


def loss(answer, row, names):
    if not names:
        return (answer[0] - row["label"]) ** 2
    return torch.nn.functional.cross_entropy(answer[None], torch.tensor([names.index(row["label"])]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    for seed, (name, (kind, config, pairs, targets)) in enumerate(KINDS.items()):
        torch.manual_seed(seed)
        regression = name == "roberta"
        directory = out / name
        bare = kind(config).eval().float()
        for parameter in bare.parameters():
            if parameter.dim() == 2:
                parameter.data.mul_(10)  # from 0.02 to 0.2, so that words reach the token that is read
        bare.save_pretrained(directory / "base")
        words = tokenizer(pairs, name == "llama")
        words.backend_tokenizer.save(str(directory / "base" / "tokenizer.json"))
        data = rows(name, regression)
        names = [] if regression else sorted(TOPICS)
        (directory / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
        head = AutoModelForSequenceClassification.from_pretrained(
            directory / "base", num_labels=max(1, len(names)), dtype=torch.float32, attn_implementation="eager")
        model = get_peft_model(head, LoraConfig(r=4, lora_alpha=8, task_type="SEQ_CLS", **targets)).eval()
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data.add_(torch.randn_like(parameter) * 0.1)
        model.peft_config["default"].base_model_name_or_path = name
        model.save_pretrained(directory / "start")
        before = [scores(model, words, row).tolist() for row in data[:5]]
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
        losses = []
        for step in range(STEPS):
            batch = data[step * BATCH:(step + 1) * BATCH]
            total = sum(loss(scores(model, words, row), row, names) for row in batch) / len(batch)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            losses.append(total.item())
        model.save_pretrained(directory / "trained")
        after = [scores(model, words, row).tolist() for row in data[:5]]
        for readme in directory.glob("*/README.md"):
            readme.unlink()
        versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
        expected = {"batch": BATCH, "rate": RATE, "losses": losses, "before": before, "after": after, "versions": versions}
        (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
        print(f"{name}: {size / 1000:.0f} kB, loss {losses[0]:.3f} to {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
