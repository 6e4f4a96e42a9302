"""Writes tiny random models of Llama-MTSK's layout with what PyTorch computes for them.

transformers computes Whisper's encoder and Llama; the small video encoder, compression, projectors and the order of tokens are
written here after the papers. For each model a directory: config.json and model.safetensors, and expected.safetensors with
  features.0    float32 [1, 80, 46]          log-mel frames, of which the encoder makes 23 states
  films.0       float32 [1, 11, 8, 8]        grey pictures (not for the model that only hears)
  audio.0, video.0                           the encoders' states
  ids.N         int64 [length]               the prompt at the model's scale N, video by video
  logits.N      float32 [length, 40]

Usage: python make_mtsk_fixtures.py --out model/src/test/resources/fixtures
Written with torch 2.10.0 and transformers 5.23; the versions used are stored in each expected.safetensors.
"""

import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__}
AUDIO, AUDIO_END, VIDEO, VIDEO_END, PLACE = 35, 36, 37, 38, 39
TEXT = [1, 7, 9, 12, 30]
MODELS = {
    "mtsk": dict(compression="avg-pooling", audio_rates=[4, 16], video_rates=[2, 5], projector_layer_norm=True),
    "mtsk-stack": dict(compression="stack", audio_rates=[3, 5], projector_layer_norm=False),
}


class VideoBlock(nn.Module):
    def __init__(self, width, inner, heads):
        super().__init__()
        self.heads = heads
        self.self_attn = nn.ModuleDict({name: nn.Linear(width, width) for name in ("q_proj", "k_proj", "v_proj", "out_proj")})
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, hidden):
        x = self.self_attn_layer_norm(hidden)
        q, k, v = (self.self_attn[name](x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for name in ("q_proj", "k_proj", "v_proj"))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        hidden = hidden + self.self_attn["out_proj"](mixed)
        return hidden + self.fc2(F.gelu(self.fc1(self.final_layer_norm(hidden))))


class VideoEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, patch = config["hidden_size"], config["patch_size"]
        side = config["image_size"] // patch
        self.patches = nn.Conv2d(1, config["num_filters"], patch, patch)
        self.frame = nn.Linear(side * side * config["num_filters"], width)
        self.embed_positions = nn.Embedding(config["max_position_embeddings"], width)
        self.layers = nn.ModuleList(VideoBlock(width, config["intermediate_size"], config["num_attention_heads"])
                                    for _ in range(config["num_hidden_layers"]))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, films):
        n, pictures = films.shape[:2]
        hidden = self.frame(F.gelu(self.patches(films.flatten(0, 1)[:, None])).flatten(1)).unflatten(0, (n, pictures))
        hidden = hidden + self.embed_positions.weight[:pictures]
        for layer in self.layers:
            hidden = layer(hidden)
        return self.layer_norm(hidden)


class Mtsk(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.settings = config
        audio = WhisperConfig(**config["audio_config"])
        audio._attn_implementation = "eager"
        self.audio_encoder = nn.ModuleDict({"model": nn.ModuleDict({"encoder": WhisperEncoder(audio)})})
        text = LlamaConfig(**config["text_config"])
        text._attn_implementation = "eager"
        self.llm = LlamaForCausalLM(text)
        self.audio_proj = self.projectors("audio", audio.d_model)
        if "video_config" in config:
            self.video_encoder = VideoEncoder(config["video_config"])
            self.video_proj = self.projectors("video", config["video_config"]["hidden_size"])

    def projectors(self, stream, width):
        size, hidden = self.settings["projector_size"], self.settings["text_config"]["hidden_size"]
        stack = self.settings["compression"] == "stack"
        norm = self.settings["projector_layer_norm"]
        return nn.ModuleList(nn.Sequential(nn.Linear(width * (rate if stack else 1), size), nn.ReLU(),
                                           nn.Linear(size, hidden), *([nn.LayerNorm(hidden)] if norm else []))
                             for rate in self.settings[stream + "_rates"])

    def hear(self, features):
        # transformers' encoder insists on all of its positions, so the sound's own are taken one step before
        encoder = self.audio_encoder["model"]["encoder"]
        hidden = F.gelu(encoder.conv2(F.gelu(encoder.conv1(features)))).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        for layer in encoder.layers:
            out = layer(hidden, attention_mask=None)
            hidden = out[0] if isinstance(out, tuple) else out
        return encoder.layer_norm(hidden)

    def compress(self, states, rate):
        if self.settings["compression"] == "stack":
            kept = states[: len(states) // rate * rate]
            return kept.reshape(-1, rate * states.shape[1])
        return F.avg_pool1d(states.T[None], rate, rate)[0].T

    def forward(self, audio, video, audio_index, video_index):
        tokens = self.audio_proj[audio_index](self.compress(audio, self.settings["audio_rates"][audio_index]))
        streams = [(AUDIO, tokens, AUDIO_END)]
        if video is not None:
            tokens = self.video_proj[video_index](self.compress(video, self.settings["video_rates"][video_index]))
            streams.append((VIDEO, tokens, VIDEO_END))
        table = self.llm.get_input_embeddings().weight
        ids, rows = TEXT[:1], [table[TEXT[:1]]]
        for start, tokens, end in streams:
            ids += [start] + [PLACE] * len(tokens) + [end]
            rows += [table[[start]], tokens, table[[end]]]
        ids += TEXT[1:]
        rows += [table[TEXT[1:]]]
        return torch.tensor(ids), self.llm(inputs_embeds=torch.cat(rows)[None]).logits[0]


def configuration(settings):
    config = dict(
        model_type="llama_mtsk", projector_size=12, audio_token_id=AUDIO, audio_end_token_id=AUDIO_END,
        video_token_id=VIDEO, video_end_token_id=VIDEO_END, placeholder_token_id=PLACE,
        audio_config=dict(model_type="whisper", num_mel_bins=80, d_model=16, encoder_layers=1, encoder_attention_heads=2,
                          encoder_ffn_dim=24, max_source_positions=30, activation_function="gelu"),
        text_config=dict(model_type="llama", hidden_size=24, intermediate_size=32, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, head_dim=6, vocab_size=40,
                         max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False,
                         rope_parameters=dict(rope_type="default", rope_theta=10000.0)),
        **settings)
    if "video_rates" in settings:
        config["video_config"] = dict(model_type="small_video", image_size=8, patch_size=4, num_filters=6, hidden_size=12,
                                      intermediate_size=20, num_attention_heads=2, num_hidden_layers=1,
                                      max_position_embeddings=16)
    return config


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    for seed, (name, settings) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config = configuration(settings)
        model = Mtsk(config).eval().float()
        for key, parameter in model.named_parameters():
            gain = "norm" in key and key.endswith("weight")
            parameter.data.normal_(1.0 if gain else 0.0, 0.2)
        sees = "video_config" in config
        answers = {"features.0": torch.randn(1, 80, 46)}
        audio = model.hear(answers["features.0"])[0]
        answers["audio.0"] = audio
        video = None
        if sees:
            answers["films.0"] = torch.rand(1, 11, 8, 8)
            video = model.video_encoder(answers["films.0"])[0]
            answers["video.0"] = video
        scales = [(a, v) for v in range(len(settings.get("video_rates", [0]))) for a in range(len(settings["audio_rates"]))]
        for i, (a, v) in enumerate(scales):
            answers[f"ids.{i}"], answers[f"logits.{i}"] = model(audio, video, a, v)
        directory = out / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, directory / "model.safetensors",
                  metadata={"format": "pt"})
        save_file({key: value.contiguous() for key, value in answers.items()}, directory / "expected.safetensors",
                  metadata=VERSIONS)
        print(name, {key: (tuple(value.shape), round(value.abs().max().item(), 2)) for key, value in answers.items()})


if __name__ == "__main__":
    main()
