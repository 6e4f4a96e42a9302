"""Writes tiny random LLaVA models (CLIP tower, projector, Llama) with what transformers computes for them.

For each model a directory: config.json and model.safetensors as transformers saves them, and expected.safetensors with
  ids.N            int64 [length]                     a prompt, its images as runs of the image token
  pixels.N         float32 [3, size, size]            an image of prompt N, already normalised; prompts 0 and 1 have one
                                                      each, prompt 2 none
  logits.N         float32 [length, vocabulary]
and, so that pictures and words can be given: preprocessor_config.json, and a tokenizer.json of 48 words.

Usage: python make_llava_fixtures.py --out model/src/test/resources/fixtures
Written with torch 2.10.0 and transformers 5.23; the versions used are stored in each expected.safetensors.
"""

import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__}
IMAGE = 47
SIZE = 12
PATCH = 4

MODELS = {
    "llava": dict(vision_feature_layer=-2, vision_feature_select_strategy="default"),
    "llava-full": dict(vision_feature_layer=[-3, -1], vision_feature_select_strategy="full",
                       multimodal_projector_bias=False, projector_hidden_act="silu"),
}


def build(settings):
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
                              image_size=SIZE, patch_size=PATCH, projection_dim=8)
    text = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                       num_key_value_heads=2, vocab_size=48, max_position_embeddings=64)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE, **settings)
    config._attn_implementation = "eager"
    model = LlavaForConditionalGeneration(config).eval().float()
    for name, parameter in model.named_parameters():
        gain = "norm" in name and name.endswith("weight")
        parameter.data.normal_(1.0 if gain else 0.0, 0.2)
    return model


@torch.no_grad()
def expected(model, full):
    patches = (SIZE // PATCH) ** 2 + (1 if full else 0)
    run = [IMAGE] * patches
    prompts = [[1, 5, *run, 9, 14], [1, *run, 30], [1, 2, 3, 4]]
    answers = {}
    for i, prompt in enumerate(prompts):
        ids = torch.tensor(prompt)
        pixels = torch.randn(1, 3, SIZE, SIZE) if IMAGE in prompt else None
        answers[f"ids.{i}"] = ids
        if pixels is not None:
            answers[f"pixels.{i}"] = pixels[0].contiguous()
        answers[f"logits.{i}"] = model(input_ids=ids[None], pixel_values=pixels).logits[0].contiguous()
    return answers


def surroundings(directory):
    processor = CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    text = json.dumps(processor.to_dict(), indent=2, sort_keys=True)
    (directory / "preprocessor_config.json").write_text(text + "\n")
    words = {f"w{i}": i for i in range(IMAGE)} | {"<image>": IMAGE}
    tokenizer = Tokenizer(WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens(["<image>"])
    tokenizer.save(str(directory / "tokenizer.json"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    for seed, (name, settings) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        model = build(settings)
        model.save_pretrained(out / name)
        (out / name / "generation_config.json").unlink(missing_ok=True)
        if name == "llava":
            surroundings(out / name)
        answers = expected(model, settings["vision_feature_select_strategy"] == "full")
        save_file(answers, out / name / "expected.safetensors", metadata=VERSIONS)
        print(name, {key: round(value.abs().max().item(), 2) for key, value in answers.items()})


if __name__ == "__main__":
    main()
