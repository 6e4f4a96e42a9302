"""MM-LoRA with a QLadder on the tiny LLaVA of the model fixtures, from the method's formulas in PyTorch.

The model is transformers' own; attention of the ladder is torch.nn.MultiheadAttention; each language map is computed with both
merged weights, of which the mask takes one row by row. Tensors have the official names, with ours for the pairs.

    python make_arcana_fixtures.py --model ../../model/src/test/resources/fixtures/llava --out ../../adapter/src/test/resources/arcana
"""

import argparse
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import LlavaForConditionalGeneration

MAPS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
VISION, LANGUAGE, SCALE_V, SCALE_L, QUERIES = 2, 3, 2.0, 1.5, 4


class Rung(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(width) for _ in range(3))
        self.attention = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        self.fc1 = torch.nn.Linear(width, 4 * width)
        self.fc2 = torch.nn.Linear(4 * width, width)

    def forward(self, q, h):
        keys = self.norms[1](h)
        q = q + self.attention(self.norms[0](q), keys, keys, need_weights=False)[0]
        wide = self.fc1(self.norms[2](q))
        return q + self.fc2(wide * torch.sigmoid(1.702 * wide))

    def named(self, at):
        tensors = {}
        for i, norm in enumerate(self.norms):
            tensors[f"{at}.layer_norm{i}.weight"] = norm.weight
            tensors[f"{at}.layer_norm{i}.bias"] = norm.bias
        for name, w, b in zip("qkv", self.attention.in_proj_weight.chunk(3), self.attention.in_proj_bias.chunk(3)):
            tensors[f"{at}.cross_attn.{name}_proj.weight"] = w
            tensors[f"{at}.cross_attn.{name}_proj.bias"] = b
        tensors[f"{at}.cross_attn.out_proj.weight"] = self.attention.out_proj.weight
        tensors[f"{at}.cross_attn.out_proj.bias"] = self.attention.out_proj.bias
        for name in ["fc1", "fc2"]:
            tensors[f"{at}.mlp.{name}.weight"] = getattr(self, name).weight
            tensors[f"{at}.mlp.{name}.bias"] = getattr(self, name).bias
        return tensors


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    given = arguments.parse_args()
    torch.manual_seed(11)
    model = LlavaForConditionalGeneration.from_pretrained(
        given.model, dtype=torch.float32, attn_implementation="eager").eval()
    vision, image = model.config.vision_config, model.config.image_token_index
    layers, width = vision.num_hidden_layers, vision.hidden_size

    rungs = torch.nn.ModuleList(Rung(width, vision.num_attention_heads) for _ in range(layers))
    for parameter in rungs.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    queries = torch.randn(1, QUERIES, width)
    tensors = {"vision_tower.vision_tower.qladder_embeds": queries}
    for i, rung in enumerate(rungs):
        tensors.update(rung.named(f"vision_tower.vision_tower.LadderAdapters.{i}"))

    pixels = torch.randn(2, vision.num_channels, vision.image_size, vision.image_size)
    with torch.no_grad():
        states = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states
        q, answers = queries.expand(2, -1, -1), []
        for rung, state in zip(rungs, states):
            q = rung(q, state)
            answers.append(q)
        features = torch.cat([states[-2][:, 1:], answers[-2]], 1)
        embedded = model.model.multi_modal_projector(features)
        per_image = embedded.shape[1]
        ids = torch.tensor([[5, 9] + [image] * per_image + [33, 12] + [image] * per_image + [7, 20]])
        seen = ids == image
        inputs = model.get_input_embeddings()(ids).masked_scatter(seen[..., None], embedded)

        for name, module in model.model.language_model.named_modules():
            if name.split(".")[-1] in MAPS:
                pairs = {}
                for kind, rank in [("vision", VISION), ("language", LANGUAGE)]:
                    a = 0.3 * torch.randn(rank, module.in_features)
                    b = 0.3 * torch.randn(module.out_features, rank)
                    tensors[f"arcana.{name}.{kind}.lora_A.weight"] = a
                    tensors[f"arcana.{name}.{kind}.lora_B.weight"] = b
                    pairs[kind] = b @ a
                merged_v = module.weight + SCALE_V * pairs["vision"]
                merged_l = module.weight + SCALE_L * pairs["language"]
                module.forward = lambda x, v=merged_v, l=merged_l: torch.where(seen[..., None], x @ v.T, x @ l.T)
        logits = model(inputs_embeds=inputs).logits

    given.out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, given.out / "adapter_model.safetensors")
    save_file(
        {"ids": ids[0], "pixels": pixels, "logits": logits[0].contiguous()},
        given.out / "answers.safetensors",
        metadata={"torch": torch.__version__, "transformers": transformers.__version__},
    )
    config = {
        "peft_type": "MM_LORA",
        "r_vision": VISION,
        "r_language": LANGUAGE,
        "scaling_vision": SCALE_V,
        "scaling_language": SCALE_L,
        "lora_dropout": 0.05,
        "target_modules": MAPS,
        "qladder": {"num_queries": QUERIES, "layers": layers, "select_layer": -2},
    }
    (given.out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
