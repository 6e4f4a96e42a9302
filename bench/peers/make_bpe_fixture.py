"""Trains a byte-level BPE with Hugging Face tokenizers on a small corpus, as the reference for BpeTrainerTest.

    python bench/peers/make_bpe_fixture.py --corpus shakespeare.txt --out model/src/test/resources/bpe

The corpus is the first lines of a public-domain text plus lines of digits, accents, spaces and repeated letters.
Made with tokenizers 0.22; written files: corpus.txt, merges.json.
"""

import argparse
import json
import pathlib

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

EXTRA = [
    "aaaa aaa aa aaaaa aaaa", "  two  spaces\tand a tab  ", "1234567 1234 12 99", "don't you'll we've I'm he'd",
    "na\u00efve caf\u00e9 \u00fcber Stra\u00dfe", "\u65e5\u672c\u8a9e \u65e5\u672c", "\U0001f600\U0001f600 \U0001f680", "a\u00a0b\u2003c",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--lines", type=int, default=400)
    parser.add_argument("--vocab-size", type=int, default=700)
    args = parser.parse_args()

    lines = args.corpus.read_text(encoding="utf-8").split("\n")[: args.lines] + EXTRA
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=args.vocab_size, min_frequency=2, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]

    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    reference = {
        "made_with": "tokenizers " + tokenizers.__version__,
        "vocab_size": args.vocab_size,
        "merges": [" ".join(pair) for pair in model["merges"]],
        "vocab": model["vocab"],
    }
    (args.out / "merges.json").write_text(json.dumps(reference, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
