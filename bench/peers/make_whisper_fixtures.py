"""Writes tiny random Whisper models with what transformers computes for them from a second of sound.

For each model a directory: config.json and model.safetensors as transformers saves them, and expected.safetensors with
  samples.0     float32 [11200]          0.7 s at 16 kHz: two gliding tones and noise
  padded.0      float32 [mels, 100]      the features of the sound padded to one second, which the model's 50 positions are
  unpadded.0    float32 [mels, 70]       those of the sound alone
  states.0      float32 [50, width]      what the encoder makes of the padded features

Usage: python make_whisper_fixtures.py --out model/src/test/resources/fixtures
Written with torch 2.10.0 and transformers 5.23; the versions used are stored in each expected.safetensors.
"""

import argparse
import pathlib

import numpy
import torch
import transformers
from safetensors.torch import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__}
RATE = 16000
MODELS = {"whisper": 80, "whisper-128": 128}


def sound(seed):
    time = numpy.arange(int(0.7 * RATE)) / RATE
    glide = numpy.sin(2 * numpy.pi * (300 + 900 * time) * time) + 0.3 * numpy.sin(2 * numpy.pi * 3100 * time)
    noise = numpy.random.default_rng(seed).normal(size=time.size)
    return (0.2 * glide + 0.01 * noise).astype(numpy.float32)


def build(mels):
    config = WhisperConfig(num_mel_bins=mels, d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=24,
                           decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=8, max_source_positions=50,
                           max_target_positions=4, vocab_size=12, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                           decoder_start_token_id=1)
    config._attn_implementation = "eager"
    model = WhisperForConditionalGeneration(config).eval().float()
    for name, parameter in model.named_parameters():
        gain = "norm" in name and name.endswith("weight")
        parameter.data.normal_(1.0 if gain else 0.0, 0.2)
    return model


@torch.no_grad()
def expected(model, mels, seed):
    samples = sound(seed)
    extractor = WhisperFeatureExtractor(feature_size=mels, chunk_length=1)
    padded = extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features
    unpadded = extractor(samples, sampling_rate=RATE, padding=False, return_tensors="pt").input_features
    states = model.model.encoder(padded).last_hidden_state
    found = {"samples.0": torch.from_numpy(samples), "padded.0": padded[0], "unpadded.0": unpadded[0],
             "states.0": states[0]}
    return {key: value.contiguous() for key, value in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    for seed, (name, mels) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        model = build(mels)
        model.save_pretrained(out / name)
        (out / name / "generation_config.json").unlink(missing_ok=True)
        answers = expected(model, mels, seed)
        save_file(answers, out / name / "expected.safetensors", metadata=VERSIONS)
        print(name, {key: (tuple(value.shape), round(value.abs().max().item(), 2)) for key, value in answers.items()})


if __name__ == "__main__":
    main()
