"""Writes what the formulas of methods that PEFT does not have give on a tiny model of transformers, with autograd's gradients.

One file a method: lora-xs, lora-sb, lora-ga, loldu, dylora, allora, diffora. Each holds examples as data [4, 12], of whose
tokens all but the first three are predicted, and one or more cases. Of a case there are

  settings.<case>, step.<case>   in the metadata: the adapter's configuration as JSON, and the step of training that it is at
  <case>.start.<tensor>          values right after initialization; singular vectors are defined up to their sign
  <case>.set.<tensor>            values given to the tensor after that
  <case>.logits                  [48, vocabulary]
  <case>.grad.<tensor>           gradient of the mean loss, as the optimizer sees it

where <tensor> is <site>.<suffix>, or a name without a site for what sites share.

The formulas are those of the official code where there is some (LoRA-SB, LoRA-GA, LoLDU, DyLoRA, LoRA-XS), else of the paper
(ALLoRA) and of DARTS (DiffoRA), written anew: decompositions are exact and in float64, LU is eliminated by hand, ALLoRA's
backward pass is an autograd function. LoRA-GA's gradient is estimated by PEFT, whose own start differs from the official one.

Usage: python make_formula_fixtures.py --models model/src/test/resources/fixtures --out adapter/src/test/resources/formulas
Written with torch 2.10.0, transformers 5.23 and peft 0.21.2; the versions used are stored in each file.
"""

import argparse
import json
import math
import pathlib

import peft
import torch
import transformers
from peft import LoraConfig, LoraGAConfig
from peft.tuners.lora.loraga import preprocess_loraga
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "down_proj"]
EXAMPLES, LENGTH, FREE = 4, 12, 3


class Bench:
    """The frozen model; `run` replaces the maps of its sites for one forward and backward pass."""

    def __init__(self, models):
        self.model = AutoModelForCausalLM.from_pretrained(
            models / "llama-biases", attn_implementation="eager", dtype=torch.float32).eval()
        self.model.requires_grad_(False)
        self.sites = {name: module for name, module in self.model.named_modules() if name.split(".")[-1] in TARGETS}
        self.data = torch.randint(3, self.model.config.vocab_size, (EXAMPLES, LENGTH))
        self.labels = self.data.clone()
        self.labels[:, :FREE] = -100

    def loss(self, first=0, count=EXAMPLES):
        rows = slice(first, first + count)
        return self.model(self.data[rows], labels=self.labels[rows]).loss

    def gradients(self, batch):
        """Mean over batches of the gradients of the sites' weights."""
        weights = [site.weight.requires_grad_() for site in self.sites.values()]
        sums = [torch.zeros_like(weight) for weight in weights]
        for first in range(0, EXAMPLES, batch):
            for total, grad in zip(sums, torch.autograd.grad(self.loss(first, batch), weights)):
                total += grad
        for weight in weights:
            weight.requires_grad_(False)
        return {name: total / (EXAMPLES // batch) for name, total in zip(self.sites, sums)}

    def run(self, maps, learned):
        """Logits with maps[site](x) in place of each site's map, and the gradients of what is learned."""
        hooks = [site.register_forward_hook(lambda module, given, _, name=name: maps[name](given[0]))
                 for name, site in self.sites.items()]
        learned = {name: tensor.detach().float().requires_grad_() for name, tensor in learned.items()}
        self.tensors = learned
        answer = self.model(self.data, labels=self.labels)
        grads = torch.autograd.grad(answer.loss, list(learned.values()), allow_unused=True)
        for hook in hooks:
            hook.remove()
        out = {"logits": answer.logits.flatten(0, 1)}
        return out | {f"grad.{name}": grad for name, grad in zip(learned, grads) if grad is not None}

    def with_change(self, name, change):
        """The site's map, its weight changed by change() at every call."""
        site = self.sites[name]
        return lambda x: torch.nn.functional.linear(x, site.weight + change(), site.bias)


def svd(matrix, r):
    """The r leading triplets, which must be well apart: else they are not defined."""
    u, s, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    gaps = (s[:r] - s[1:r + 1]) / s[0]
    assert gaps.min() > 1e-3, gaps
    return u[:, :r], s[:r], vh[:r]


def noise(tensor, spread):
    return torch.randn(tensor.shape) * spread


def latent(bench, starts, scale, learned):
    """y = W x + s B R A x with R learned."""
    maps = {name: bench.with_change(name, lambda name=name: scale * starts[name]["lora_B.weight"].float()
                                    @ bench.tensors[f"{name}.lora_latent_mapping.weight"]
                                    @ starts[name]["lora_A.weight"].float()) for name in bench.sites}
    return bench.run(maps, learned)


def flat(prefix, starts):
    return {f"{prefix}.{name}.{suffix}": value for name, parts in starts.items() for suffix, value in parts.items()}


def lora_xs(bench, r=4, alpha=8):
    """A = S V^T and B = U of the weight, R anything; also with R's gradient made the best for the weight (LoRA-SB, 3)."""
    starts, learned = {}, {}
    for name, site in bench.sites.items():
        u, s, vh = svd(site.weight, r)
        starts[name] = {"lora_A.weight": s[:, None] * vh, "lora_B.weight": u}
        learned[f"{name}.lora_latent_mapping.weight"] = torch.randn(r, r) * 0.02
    scale = alpha / r
    plain = latent(bench, starts, scale, learned) | flat("start", starts)
    plain |= {f"set.{name}": value for name, value in learned.items()}
    best = dict(plain)
    for name, parts in starts.items():
        a, b = parts["lora_A.weight"], parts["lora_B.weight"]
        key = f"grad.{name}.lora_latent_mapping.weight"
        # As least squares: the h for which s B h A is nearest to the weight's gradient, of which plain holds s B^T g A^T.
        best[key] = torch.linalg.inv(b.T @ b) @ plain[key].double() @ torch.linalg.inv(a @ a.T) / scale**2
    settings = {"r": r, "lora_alpha": alpha}
    return {"plain": (settings, plain), "preconditioned": (settings | {"precondition": True}, best)}


def lora_sb(bench, r=4, batch=2):
    cases = {}
    for case, sign, rate in (("sign", True, 0.01), ("mean", False, 2.0)):
        starts = {}
        for name, g in bench.gradients(batch).items():
            assert not sign or g.abs().min() > 1e-5 * g.abs().max(), "a sign that rounding may turn"
            u, s, vh = svd(-rate * (g.sign() if sign else g), r)
            starts[name] = {"lora_A.weight": vh, "lora_B.weight": u, "lora_latent_mapping.weight": torch.diag(s)}
        learned = {f"{name}.lora_latent_mapping.weight": parts["lora_latent_mapping.weight"]
                   for name, parts in starts.items()}
        settings = {"r": r, "num_samples": EXAMPLES, "eg_bs": batch, "init_lr": rate, "use_sign": sign}
        cases[case] = (settings, latent(bench, starts, 1.0, learned) | flat("start", starts))
    return cases


def lora_ga(bench, batch=2):
    """PEFT's gradients; the official code's split and length; the frozen weight is W - s B A."""
    config = LoraConfig(r=2, init_lora_weights="lora_ga", lora_ga_config=LoraGAConfig(), target_modules=TARGETS)

    def steps():
        for first in range(0, EXAMPLES, batch):
            bench.loss(first, batch).backward()

    preprocess_loraga(bench.model, config, steps)
    bench.model.eval().requires_grad_(False)
    own = bench.gradients(batch)
    cases = {}
    for case, direction, scale, r, clip in (
            ("stable", "ArB2r", "stable", 2, False), ("unit", "A2rBr", "unit", 2, False), ("gd", "ArBr", "gd", 2, False),
            ("weightS", "ArB2r", "weightS", 2, False), ("clipped", "ArB2r", "unit", 1, True)):
        s = 16 / math.sqrt(r)
        starts, learned, maps = {}, {}, {}
        for name, site in bench.sites.items():
            g = site._peft_loraga_grad
            assert (g - own[name]).abs().max() < 1e-5 * g.abs().max()
            u, _, vh = svd(g, 2 * r)
            a, b = {"ArB2r": (vh[:r], u[:, r:]), "A2rBr": (vh[r:], u[:, :r]), "ArBr": (vh[1::2], u[:, 0::2])}[direction]
            sigma = torch.linalg.svdvals(site.weight.double())[:r]
            length = {"stable": site.out_features**0.25 / 16**0.5, "unit": 1, "gd": 1 / s,
                      "weightS": (sigma / s).sqrt().mean()}[scale]
            a, b = a * length, b * length
            if clip:
                q = site.weight.abs().max() / (s * (b @ a).abs().max())
                assert q < 1
                a, b = a * q.sqrt(), b * q.sqrt()
            starts[name] = {"lora_A.weight": a, "lora_B.weight": b}
            offset = (s * b @ a).float()
            learned |= {f"{name}.{suffix}": value for suffix, value in starts[name].items()}
            maps[name] = bench.with_change(name, lambda name=name, offset=offset, s=s: s * bench.tensors[
                f"{name}.lora_B.weight"] @ bench.tensors[f"{name}.lora_A.weight"] - offset)
        settings = {"r": r, "lora_alpha": 16, "use_rslora": True, "direction": direction, "scale": scale,
                    "stable_gamma": 16, "bsz": batch, "iters": EXAMPLES // batch, "norm_clip": clip}
        cases[case] = (settings, bench.run(maps, learned) | flat("start", starts))
    return cases


def eliminated(w):
    """P L, d and U of W = P L diag(d) U, by elimination with the largest pivot of each column."""
    upper, lower, order = w.double().clone(), torch.eye(len(w), dtype=torch.float64), list(range(len(w)))
    k = min(w.shape)
    for j in range(k):
        p = j + int(upper[j:, j].abs().argmax())
        upper[[j, p]] = upper[[p, j]]
        lower[[j, p], :j] = lower[[p, j], :j]
        order[j], order[p] = order[p], order[j]
        for i in range(j + 1, len(w)):
            lower[i, j] = upper[i, j] / upper[j, j]
            upper[i] -= lower[i, j] * upper[j]
    pl = torch.zeros(len(w), k, dtype=torch.float64)
    pl[order] = lower[:, :k]
    d = torch.diag(upper).clone()
    u = upper[:k] / d[:, None]
    assert (pl * d @ u - w).abs().max() < 1e-6
    return pl, d, u


def loldu(bench, r=5):
    cases = {}
    for case, init, alpha in (("lu", "lu", r), ("mean", "constant", 2), ("ones", "ones", r)):
        s = alpha / r
        starts, learned, maps = {}, {}, {}
        for name, site in bench.sites.items():
            pl, d, u = eliminated(site.weight)
            z = {"lu": d[:r], "constant": d[:r].mean().expand(r), "ones": torch.ones(r)}[init].double()
            starts[name] = {"ldu_lower": pl[:, :r], "ldu_upper": u[:r], "vector_z": z}
            rest = (site.weight - s * pl[:, :r] * z @ u[:r]).float()
            learned[f"{name}.vector_z"] = z + noise(z, 0.2)
            maps[name] = lambda x, name=name, site=site, rest=rest, b=pl[:, :r].float(), a=u[:r].float(): (
                torch.nn.functional.linear(x, rest, site.bias)
                + s * (x @ a.T * bench.tensors[f"{name}.vector_z"]) @ b.T)
        tensors = bench.run(maps, learned) | flat("start", starts)
        tensors |= {f"set.{name}": value for name, value in learned.items()}
        cases[case] = ({"r": r, "lora_alpha": alpha, "init_method": init}, tensors)
    return cases


def pairs(bench, r):
    """Random factors for all sites."""
    out = {}
    for name, site in bench.sites.items():
        out[f"{name}.lora_A.weight"] = torch.randn(r, site.in_features) * 0.2
        out[f"{name}.lora_B.weight"] = torch.randn(site.out_features, r) * 0.2
    return out


def dylora(bench, r=6, alpha=8):
    """Both factors cut at b and multiplied by sqrt(R / b), alpha / R outside; frozen: only the last components learn."""
    cases = {}
    learned = pairs(bench, r)
    for case, b, frozen, granularity in (
            ("full", 4, False, 1), ("all", 6, False, 1), ("first", 1, True, 1), ("frozen", 4, True, 1), ("pairs", 4, True, 2)):
        def change(name):
            a, up = bench.tensors[f"{name}.lora_A.weight"][:b], bench.tensors[f"{name}.lora_B.weight"][:, :b]
            if frozen:
                held = b - granularity
                a = torch.cat([a[:held].detach(), a[held:]])
                up = torch.cat([up[:, :held].detach(), up[:, held:]], 1)
            return alpha / r * (up * math.sqrt(r / b)) @ (a * math.sqrt(r / b))

        maps = {name: bench.with_change(name, lambda name=name: change(name)) for name in bench.sites}
        ranks = range(granularity, r + 1, granularity)
        settings = {"r": r, "lora_alpha": alpha, "frozen": frozen, "granularity": granularity,
                    "rank_distribution": [float(rank == b) for rank in ranks]}
        tensors = bench.run(maps, learned) | {f"set.{name}": value for name, value in learned.items()}
        cases[case] = (settings, tensors)
    return cases


class RowScaled(torch.autograd.Function):
    """B A x whose gradients into A and B see c * delta, and whose gradient into x sees delta."""

    @staticmethod
    def forward(ctx, x, a, b, c):
        ctx.save_for_backward(x, a, b, c)
        return x @ a.T @ b.T

    @staticmethod
    def backward(ctx, delta):
        x, a, b, c = ctx.saved_tensors
        rows, scaled = x.flatten(0, -2), (delta * c).flatten(0, -2)
        return delta @ b @ a, (scaled @ b).T @ rows, scaled.T @ (rows @ a.T), None


class FactorScaled(torch.autograd.Function):
    """A factor whose gradient is multiplied by c."""

    @staticmethod
    def forward(ctx, factor, c):
        ctx.c = c
        return factor.clone()

    @staticmethod
    def backward(ctx, delta):
        return delta * ctx.c, None


def allora(bench, r=4, eta=3.0):
    cases = {}
    learned = pairs(bench, r)

    def factors(sizes):
        return (sizes + 1 / eta**2).rsqrt().detach()

    def branch(rule, x, a, b):
        if rule == "factor_row":
            a = FactorScaled.apply(a, factors(a.norm(dim=1))[:, None])
            b = FactorScaled.apply(b, factors(b.norm(dim=1))[:, None])
            return x @ a.T @ b.T
        c = {"weight_row": lambda: factors((b @ a).norm(dim=1)), "constant": lambda: torch.tensor(eta),
             "none": lambda: torch.tensor(1.0), "output": lambda: factors((x @ a.T @ b.T).abs())}[rule]()
        return RowScaled.apply(x, a, b, c)

    for rule in ("weight_row", "constant", "none", "output", "factor_row"):
        maps = {name: lambda x, name=name, site=site: torch.nn.functional.linear(x, site.weight, site.bias) + branch(
            rule, x, bench.tensors[f"{name}.lora_A.weight"], bench.tensors[f"{name}.lora_B.weight"])
            for name, site in bench.sites.items()}
        tensors = bench.run(maps, learned) | {f"set.{name}": value for name, value in learned.items()}
        cases[rule] = ({"r": r, "eta": eta, "allora_rule": rule}, tensors)
    return cases


def diffora(bench, r=3, alpha=6):
    """Sites are in the order of the model: q_proj and down_proj of layer 0, then of layer 1."""
    names = list(bench.sites)
    own = pairs(bench, r)
    logits, average = torch.tensor([0.3, -1.2, 0.8, 0.1]), torch.tensor([-0.5, 0.4, 0.9, 0.7])
    kinds = {name: f"diffora.{name.split('.')[-1]}_{site.out_features}x{site.in_features}"
             for name, site in bench.sites.items()}
    shared = {}
    for name in names[:2]:
        site = bench.sites[name]
        shared[f"{kinds[name]}.lora_B"] = torch.randn(site.out_features, r) * 0.2
        shared[f"{kinds[name]}.lora_A"] = torch.randn(r, site.in_features) * 0.2

    def relaxed(a, softmax):
        return torch.cat([a[:2].softmax(0), a[2:].softmax(0)]) * 2 if softmax else a.sigmoid()

    cases = {}
    settings = {"r": r, "lora_alpha": alpha, "search_steps": 5, "restart": False}
    for relaxation in ("sigmoid", "softmax"):
        def change(name):
            g = relaxed(bench.tensors["diffora.logits"], relaxation == "softmax")[names.index(name)]
            return g * alpha / r * bench.tensors[f"{name}.lora_B.weight"] @ bench.tensors[f"{name}.lora_A.weight"]

        learned = own | {"diffora.logits": logits}
        maps = {name: bench.with_change(name, lambda name=name: change(name)) for name in names}
        tensors = bench.run(maps, learned) | {f"set.{name}": value for name, value in learned.items()}
        cases[relaxation] = (settings | {"relaxation": relaxation}, tensors)

    for share, scope, chosen in (("kind", "layer", (1, 2)), ("kind_B", "layer", (1, 2)), ("none", "global", (2, 3))):
        # Chosen by the averaged logits: the larger of each layer, or the two largest of all. B goes on with its factor.
        kept = {names[i] for i in chosen}
        learned = {}
        for i, name in enumerate(names):
            if name in kept:
                learned[f"{name}.lora_A.weight"] = own[f"{name}.lora_A.weight"]
                learned[f"{name}.lora_B.weight"] = own[f"{name}.lora_B.weight"] * logits.sigmoid()[i]
            elif share == "kind_B":
                learned[f"{name}.lora_A.weight"] = own[f"{name}.lora_A.weight"]
        learned |= {name: value for name, value in shared.items()
                    if share == "kind" or (share == "kind_B" and name.endswith("B"))}

        def change(name):
            t = bench.tensors
            if name in kept:
                a, b = t[f"{name}.lora_A.weight"], t[f"{name}.lora_B.weight"]
            elif share == "none":
                return 0
            else:
                a = t[f"{name}.lora_A.weight"] if share == "kind_B" else t[f"{kinds[name]}.lora_A"]
                b = t[f"{kinds[name]}.lora_B"]
            return alpha / r * b @ a

        maps = {name: bench.with_change(name, lambda name=name: change(name)) for name in names}
        given = own | {name: value for name, value in learned.items() if name in shared}
        given |= {"diffora.logits": logits, "diffora.average": average}
        tensors = bench.run(maps, learned) | {f"set.{name}": value for name, value in given.items()}
        cases[f"chosen-{share}"] = (settings | {"share": share, "scope": scope, "keep_ratio": 0.5}, tensors)
    return cases


METHODS = {"lora-xs": lora_xs, "lora-sb": lora_sb, "lora-ga": lora_ga, "loldu": loldu, "dylora": dylora, "allora": allora,
           "diffora": diffora}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="start of the names to write; all by default")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    for method, make in METHODS.items():
        if not method.startswith(arguments.only):
            continue
        torch.manual_seed(6)
        bench = Bench(arguments.models)
        tensors, metadata = {"data": bench.data}, dict(versions)
        with torch.no_grad():
            base = bench.model(bench.data).logits.flatten(0, 1)
        for case, (settings, values) in make(bench).items():
            moved = float((values["logits"].detach() - base).abs().max())
            assert method == "lora-ga" or moved > 0.01, (case, moved)
            metadata[f"settings.{case}"] = json.dumps(settings | {"target_modules": TARGETS})
            metadata[f"step.{case}"] = "5" if case.startswith("chosen") else "0"
            tensors |= {f"{case}.{name}": value.detach().float().contiguous().clone() for name, value in values.items()}
        save_file(tensors, arguments.out / f"{method}.safetensors", metadata=metadata)
        print(method, (arguments.out / f"{method}.safetensors").stat().st_size)


if __name__ == "__main__":
    main()
