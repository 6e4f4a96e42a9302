"""Writes what torch.optim.AdamW and transformers' schedules compute, for the tests of module train.

    python make_optimizer_fixture.py --out ../../train/src/test/resources/fixtures/optimizer.json
"""

import argparse
import json
import pathlib

import torch
import transformers

SCHEDULES = ["linear", "cosine", "constant", "constant_with_warmup"]


def adamw(decay, steps=12):
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(6, generator=generator)
    gradients = [torch.randn(6, generator=generator) for _ in range(steps)]
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([parameter], lr=0.05, betas=(0.9, 0.99), eps=1e-7, weight_decay=decay)
    values = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        values.append(parameter.detach().tolist())
    return {"decay": decay, "start": start.tolist(), "gradients": [g.tolist() for g in gradients], "values": values}


def schedule(name, warm_up, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = transformers.get_scheduler(name, optimizer, num_warmup_steps=warm_up, num_training_steps=total)
    factors = []
    for _ in range(total):
        factors.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return {"name": name, "warm_up": warm_up, "total": total, "factors": factors}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    fixture = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "adamw": [adamw(0.0), adamw(0.1)],
        "schedules": [schedule(name, warm_up, 20) for name in SCHEDULES for warm_up in (0, 5)],
    }
    out.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
