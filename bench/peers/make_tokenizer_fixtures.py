"""Writes two small tokenizers with the Python library's ids, spans and types, as the reference for TokenizerTest.

    python bench/peers/make_tokenizer_fixtures.py --corpus corpus.txt --out model/src/test/resources/tokenizers

wordpiece: BERT's kind, with a stored truncation and padding that must be ignored. llama3, qwen2: byte-level BPE with
the split and the normalizer of those families as their tokenizer.json states them, and the same vocabulary as the
lists that a GGUF file holds. clip: transformers' CLIPTokenizer around learned merges, lower case, ends of words marked.
Made with tokenizers 0.22 and transformers 5.23; written files: NAME.json (the tokenizer), NAME.expected.json.
"""

import argparse
import json
import pathlib

import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "Where is the cat? It's over there.", "  two  blanks, a\ttab\n\nand lines \n", "12345 1,234 007", "na\u00efve \u00dcber e\u0301",
    "\u65e5\u672c\u8a9e \U0001f600\U0001f680!", "I'LL we've DON'T", "a\r\n\r\nb   ", "",
]
PAIRS = [["the cat sat", "It is there."], ["", "one"], ["\u65e5\u672c", "\U0001f600 a"]]
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def wordpiece(lines):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        lines, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))])
    return tokenizer


def byte_level(lines, digits, normalizer, ignore_merges, bos):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT % digits), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=450, special_tokens=["<|begin|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", pair="<|begin|> $A <|begin|>:1 $B:1", special_tokens=[("<|begin|>", 0)])
    return tokenizer


def clip(lines):
    plain = transformers.CLIPTokenizer().backend_tokenizer
    learned = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learned.normalizer, learned.pre_tokenizer = plain.normalizer, plain.pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learned.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=700, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False))
    parts = json.loads(learned.to_str())["model"]
    words = sorted(parts["vocab"], key=parts["vocab"].get)
    words += [letter + "</w>" for letter in sorted(alphabet) if letter + "</w>" not in parts["vocab"]]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(
        vocab={word: number for number, word in enumerate(words)},
        merges=[tuple(merge) for merge in parts["merges"]]).backend_tokenizer


def expected(tokenizer):
    tokenizer.no_padding()
    tokenizer.no_truncation()
    singles = []
    for text in TEXTS:
        encoding = tokenizer.encode(text)
        singles.append({
            "text": text, "ids": encoding.ids, "spans": encoding.offsets,
            "plain": tokenizer.encode(text, add_special_tokens=False).ids,
            "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=True)})
    pairs = [{"pair": pair, "ids": e.ids, "types": e.type_ids} for pair in PAIRS for e in [tokenizer.encode(*pair)]]
    return {"singles": singles, "pairs": pairs}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    lines = args.corpus.read_text(encoding="utf-8").split("\n") + TEXTS
    made = {
        "wordpiece": wordpiece(lines),
        "llama3": byte_level(lines, r"\p{N}{1,3}", None, True, True),
        "qwen2": byte_level(lines, r"\p{N}", normalizers.NFC(), False, False),
        "clip": clip(lines),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for name, tokenizer in made.items():
        reference = expected(tokenizer)
        if name == "wordpiece":
            tokenizer.enable_truncation(4)
            tokenizer.enable_padding(length=32)
        (args.out / f"{name}.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
        (args.out / f"{name}.expected.json").write_text(json.dumps(reference) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
