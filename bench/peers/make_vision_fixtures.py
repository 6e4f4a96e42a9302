"""Writes tiny random CLIP and ViT models, and images, with what transformers computes for them.

For each model a directory: config.json and model.safetensors as transformers saves them, and expected.safetensors with
  ids.N            int64 [length]                     CLIP: a text; its last id is the end token
  text.N           float32 [features]                 CLIP: its features
  pixels.N         float32 [channels, size, size]     an image, already normalised
  image.N          float32 [features]                 CLIP: its features
  logits.0         float32 [images, texts]            CLIP: logits_per_image
  scores.N         float32 [labels]                   ViT: logits of the classifier
And images/: two PNG files with preprocessor_config.json in three variants and what transformers' image processor on
Pillow makes of them, expected.safetensors with VARIANT.FILE, float32 [3, height, width].

Usage: python make_vision_fixtures.py --out model/src/test/resources/fixtures
Written with torch 2.10.0, transformers 5.23 and Pillow 11.3 (13 resizes in another order at some sizes); the versions used are stored in each expected.safetensors.
"""

import argparse
import json
import pathlib

import numpy
import PIL
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTForImageClassification
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__, "pillow": PIL.__version__}
VOCABULARY = 64
LENGTHS = (5, 9, 2, 9)
IMAGES = 3


def clip(end, **vision):
    text = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=VOCABULARY,
                max_position_embeddings=12, eos_token_id=end, bos_token_id=1, pad_token_id=0)
    tower = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, image_size=12,
                 patch_size=4) | vision
    return CLIPModel, CLIPConfig(text_config=text, vision_config=tower, projection_dim=16)


def vit(labels, **more):
    return ViTForImageClassification, ViTConfig(
        hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, image_size=12, patch_size=4,
        num_labels=labels, **more)


MODELS = {
    "clip": clip(60),
    "clip-legacy": clip(2, num_channels=1, hidden_act="gelu"),
    "vit": vit(5),
    "vit-bare": vit(3, qkv_bias=False, num_channels=1),
}


def randomise(model):
    """Gives every weight, biases and norms too, a value that a mistake would show."""
    for name, parameter in model.named_parameters():
        norm = "norm" in name or "layrnorm" in name
        mean = 1.0 if norm and name.endswith("weight") else 0.0
        parameter.data.normal_(mean, 0.5 if parameter.dim() == 1 and mean == 0.0 else 0.2)
    if hasattr(model, "logit_scale"):
        model.logit_scale.data.fill_(1.3)


@torch.no_grad()
def expected(model, config):
    vision = getattr(config, "vision_config", config)
    pixels = torch.randn(IMAGES, vision.num_channels, vision.image_size, vision.image_size)
    answers = {f"pixels.{i}": image.contiguous() for i, image in enumerate(pixels)}
    if config.model_type == "vit":
        scores = [model(image[None]).logits[0] for image in pixels]
        return answers | {f"scores.{i}": row.contiguous() for i, row in enumerate(scores)}
    end = config.text_config.eos_token_id
    last = VOCABULARY - 1 if end == 2 else end
    texts = [torch.cat([torch.tensor([1]), torch.randint(3, 60, (length - 2,)), torch.tensor([last])])
             for length in LENGTHS]
    for i, ids in enumerate(texts):
        answers[f"ids.{i}"] = ids
        answers[f"text.{i}"] = model.get_text_features(ids[None]).pooler_output[0].contiguous()
    for i, image in enumerate(pixels):
        answers[f"image.{i}"] = model.get_image_features(image[None]).pooler_output[0].contiguous()
    columns = [model(input_ids=ids[None], pixel_values=pixels).logits_per_image for ids in texts]
    answers["logits.0"] = torch.cat(columns, 1).contiguous()
    return answers


def picture(width, height, seed):
    """Waves, an edge and a little noise: something that resampling errors show on."""
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    red = 127 + 120 * numpy.sin(x / 3.1 + y / 7.0)
    green = numpy.where(x * height > y * width, 250, 5) + 0 * y
    blue = 127 + 100 * numpy.cos(x * y / 90.0)
    noise = numpy.random.default_rng(seed).normal(0, 9, (height, width, 3))
    return Image.fromarray(numpy.clip(numpy.stack([red, green, blue], -1) + noise, 0, 255).astype(numpy.uint8))


PROCESSORS = {
    "clip": CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}),
    "clip-larger": CLIPImageProcessorPil(size={"shortest_edge": 48}, crop_size={"height": 40, "width": 56}),
    "vit": ViTImageProcessorPil(size={"height": 20, "width": 20}),
}


def images(directory):
    directory.mkdir(parents=True, exist_ok=True)
    files = {"wide": picture(61, 37, 0), "tall": picture(19, 46, 1)}
    answers = {}
    for name, image in files.items():
        image.save(directory / f"{name}.png", optimize=True)
    for variant, processor in PROCESSORS.items():
        settings = processor.to_dict()
        (directory / f"{variant}.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
        for name, image in files.items():
            pixels = processor(images=image, return_tensors="np")["pixel_values"][0]
            answers[f"{variant}.{name}"] = torch.tensor(numpy.asarray(pixels), dtype=torch.float32).contiguous()
    save_file(answers, directory / "expected.safetensors", metadata=VERSIONS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    for seed, (name, (kind, config)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config._attn_implementation = "eager"
        model = kind(config).eval().float()
        randomise(model)
        model.save_pretrained(out / name)
        answers = expected(model, config)
        save_file(answers, out / name / "expected.safetensors", metadata=VERSIONS)
        print(name, {key: round(value.abs().max().item(), 2) for key, value in answers.items() if key.endswith(".0")})
    images(out / "images")


if __name__ == "__main__":
    main()
