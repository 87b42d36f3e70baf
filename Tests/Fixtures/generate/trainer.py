"""Expected values for what the loop does beside the plain step: rates that follow evaluations, loss scaling, weighted tokens.

torch 2.13 (CPU), transformers 5.6.0. Writes Tests/Fixtures/training: following.json, scaler.json, weighted.json. The losses of
weighted.json are LLaMA-Factory 0.9.5's functions; LLAMAFACTORY names the folder that holds its package.
"""

import ast
import json
import os
import random

import torch
from transformers import get_scheduler

here = os.path.dirname(os.path.abspath(__file__))
target = os.path.join(here, "..", "training")


def write(path, value):
    with open(os.path.join(target, path), "w", encoding="utf-8") as file:
        json.dump(value, file, separators=(",", ":"))


# Schedules that follow a metric: the rate after each of its values.
draw = random.Random(5)
falling = [round(3 * 0.93**step + draw.uniform(-0.05, 0.05), 6) for step in range(60)]
resting = [round(1 + draw.uniform(-0.02, 0.02), 6) for step in range(60)]
mixed = falling[:20] + resting[:25] + [round(value / 2, 6) for value in falling[:15]]
CASES = [
    ("reduce_lr_on_plateau", 1e-3, {"patience": 2}, mixed),
    ("reduce_lr_on_plateau", 1e-3, {"patience": 1, "factor": 0.5, "cooldown": 3, "min_lr": 1e-4, "threshold": 0.05}, mixed),
    ("reduce_lr_on_plateau", 5e-2, {"mode": "max", "patience": 0, "factor": 0.7, "threshold_mode": "abs", "threshold": 0.01}, resting),
    ("reduce_lr_on_plateau", 1e-7, {"patience": 1, "eps": 1e-8}, resting),
    ("greedy", 1e-2, {"patience": 2}, mixed),
    ("greedy", 5e-5, {"patience": 1}, resting),
    ("greedy", 1e-3, {"patience": 1, "factor": 0.8, "min_lr": 5e-4, "max_lr": 2e-3, "cooldown": 2, "warmup": 1, "reset_start": 3}, mixed),
    ("greedy", 1e-3, {"patience": 0, "factor": 0.5, "min_lr": 1e-5, "smooth": True, "window_size": 4, "mode": "max"}, mixed),
    ("greedy", 1e-3, {"patience": 0, "factor": 0.9, "min_lr": 9e-4, "reset_start": 2, "threshold_mode": "rel", "threshold": 0.01}, resting),
]
following = []
for name, rate, keywords, metrics in CASES:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = get_scheduler(name, optimizer, 0, 100, keywords)
    rates = []
    for metric in metrics:
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    following.append({"name": name, "rate": rate, "keywords": keywords, "metrics": metrics, "rates": rates})
write("following.json", following)

# GradScaler: the scale after each step, where some steps overflow. Runs of good steps are long, so they are written as counts.
scaler = torch.amp.GradScaler("cpu")
weight = torch.nn.Parameter(torch.zeros(1))
optimizer = torch.optim.SGD([weight], lr=0.1)
scales = []
for good in [0, 0, 3, 1999, 2000, 4005, 1, 0, 2000]:
    for step in range(good + 1):
        loss = weight.sum() * (float("inf") if step == good else 1.0)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    state = scaler.state_dict()
    scales.append({"good": good, "scale": state["scale"], "tracker": state["_growth_tracker"]})
write("scaler.json", scales)

# Losses that weigh their tokens, with gradients; the functions are read from the file, because the package loads far more.
source = open(os.path.join(os.environ["LLAMAFACTORY"], "train", "trainer_utils.py"), encoding="utf-8").read()
wanted = {"_dft_cross_entropy", "_eaft_cross_entropy", "_asft_cross_entropy", "_kl_divergence"}
functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name in wanted]
space = {"torch": torch, "F": torch.nn.functional, "Optional": __import__("typing").Optional}
exec(compile(ast.Module(functions, []), "trainer_utils", "exec"), space)
generator = torch.Generator().manual_seed(11)
hidden = torch.randn(9, 8, generator=generator)
weight = torch.randn(40, 8, generator=generator)
targets = torch.tensor([3, -100, 17, 39, 0, 5, -100, 22, 9])
weighted = {"hidden": hidden.flatten().tolist(), "weight": weight.flatten().tolist(), "targets": targets.tolist(), "cases": []}
for name, alpha in [("probability", 0), ("entropy", 1.0), ("entropy", 0.5)]:
    h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
    arguments = (h @ w.T, targets, torch.tensor(7))
    loss = space["_dft_cross_entropy"](*arguments) if name == "probability" else space["_eaft_cross_entropy"](*arguments, alpha)
    loss.backward()
    weighted["cases"].append({"name": name, "alpha": alpha, "loss": loss.item(), "hidden_gradient": h.grad.flatten().tolist(),
                              "weight_gradient": w.grad.flatten().tolist()})
# Anchored fine-tuning takes the mean over the labels of a batch.
reference_hidden = hidden + 0.5 * torch.randn(9, 8, generator=generator)
reference_weight = weight + 0.3 * torch.randn(40, 8, generator=generator)
weighted["reference_hidden"] = reference_hidden.flatten().tolist()
weighted["reference_weight"] = reference_weight.flatten().tolist()
for alpha in [0.1, 2.0]:
    h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
    loss = space["_asft_cross_entropy"](h @ w.T, targets, reference_hidden @ reference_weight.T, alpha)
    loss.backward()
    weighted["cases"].append({"name": "anchored", "alpha": alpha, "loss": loss.item(), "hidden_gradient": h.grad.flatten().tolist(),
                              "weight_gradient": w.grad.flatten().tolist()})
write("weighted.json", weighted)
