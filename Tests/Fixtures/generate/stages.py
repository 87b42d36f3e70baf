"""The losses, metrics and gradients of the preference stages on a fixed batch: what ours must repeat.

    python Tests/Fixtures/generate/stages.py [folder with trl 0.9.6's sources] [folder with trl 0.8.6's sources]

torch 2.13 (CPU), transformers 5.6.0, peft 0.18.1, trl 0.24.0. Loss functions are trl's own, called unbound: DPOTrainer.dpo_loss for
sigmoid, hinge and ipo, KTOTrainer.kto_loss; kto_pair, which newer releases have dropped, and the PPO step are checked against those
of trl 0.8.6 and 0.9.6 when their folders are given. ORPO, SimPO, BCO, LD-DPO and the metrics follow LLaMA-Factory's formulas. The
model and its adapter are those of Tests/Fixtures/training; the sequences are run one by one, so that no padding can have a part in it.
"""

import ast
import importlib.util
import json
import math
import os
import sys
import textwrap
import types

import numpy
import torch
import torch.nn.functional as F
from peft import PeftModel
from transformers import AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
fixtures = os.path.join(here, "..")
target = os.path.join(fixtures, "stages")
os.makedirs(target, exist_ok=True)
torch.set_num_threads(1)
VOCABULARY = 96
accelerator = types.SimpleNamespace(device="cpu", gather_for_metrics=lambda value: value, use_distributed=False)


def load():
    base = AutoModelForCausalLM.from_pretrained(os.path.join(fixtures, "training", "llama"), dtype=torch.float32)
    return PeftModel.from_pretrained(base, os.path.join(fixtures, "training", "llama", "adapter"), is_trainable=True).eval()


def methods_of(path, class_name, names):
    """Functions of a class in a source file, compiled apart from the rest of it, which wants packages of its own time."""
    tree = ast.parse(open(path, encoding="utf-8").read())
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name).body if class_name else tree.body
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            node.decorator_list = []
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            module = ast.Module(body=[node], type_ignores=[])
            scope = {"torch": torch, "F": F, "math": math, "np": numpy, "warnings": __import__("warnings"), **SCOPE}
            exec(compile(ast.fix_missing_locations(module), path, "exec"), scope)
            found[node.name] = scope[node.name]
            SCOPE[node.name] = scope[node.name] if class_name is None else SCOPE.get(node.name)
    return found


SCOPE = {"Dict": dict, "Mapping": dict}
class FDivergenceType:
    """Only the reverse divergence, which is DPO's own."""
    ALPHA_DIVERGENCE = types.SimpleNamespace(value="alpha_divergence")
    JS_DIVERGENCE = types.SimpleNamespace(value="js_divergence")


SCOPE["FDivergenceType"] = FDivergenceType
rng = numpy.random.default_rng(7)
tokens = lambda count: rng.integers(3, VOCABULARY, count).tolist()
# Prompt and two answers, then prompt, answer, another answer and whether it was wanted.
PAIRS = [{"prompt": [0] + tokens(a), "chosen": tokens(b) + [1], "rejected": tokens(c) + [1]} for a, b, c in ((4, 5, 7), (7, 3, 2), (2, 9, 4), (5, 1, 6))]
FEEDBACK = [{"prompt": [0] + tokens(a), "answer": tokens(b) + [1], "other": tokens(c) + [1], "wanted": w}
            for a, b, c, w in ((3, 4, 6, True), (6, 2, 4, False), (2, 7, 3, True), (5, 5, 5, True), (4, 3, 2, False))]


def forward(model, prompt, answer):
    """Log-probabilities of an answer's tokens and all logits of the sequence."""
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0].float()
    logps = logits[:-1].log_softmax(-1).gather(1, torch.tensor((prompt + answer)[1:])[:, None])[:, 0]
    return logps[len(prompt) - 1:], logits


def gradients(model):
    """Norm of each adapter gradient, and a projection that tells its direction."""
    result = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.grad is not None:
            flat = parameter.grad.flatten().double()
            wave = torch.cos(torch.arange(flat.numel(), dtype=torch.float64) * 0.7)
            result[name.replace(".default", "")] = [flat.norm().item(), (flat * wave).sum().item()]
    model.zero_grad()
    return result


def preference(kind, beta, ftx=0.0, smoothing=0.0, gamma=0.5, ld_alpha=None, bco=0.0):
    model = load()
    averages = kind in ("ipo", "orpo", "simpo")
    sides = {"chosen": [], "rejected": []}
    references = {"chosen": [], "rejected": []}
    lengths, logits = {"chosen": [], "rejected": []}, {"chosen": [], "rejected": []}
    for pair in PAIRS:
        shared = min(len(pair["chosen"]), len(pair["rejected"]))
        for side in sides:
            logps, all_logits = forward(model, pair["prompt"], pair[side])
            total = logps.sum() if ld_alpha is None else logps[:shared].sum() + ld_alpha * logps[shared:].sum()
            sides[side].append(total / len(pair[side]) if averages else total)
            lengths[side].append(len(pair[side]))
            logits[side].append(all_logits.detach())
            with torch.no_grad(), model.disable_adapter():
                reference, _ = forward(model, pair["prompt"], pair[side])
            references[side].append(reference.sum() / len(pair[side]) if averages else reference.sum())
    chosen, rejected = torch.stack(sides["chosen"]), torch.stack(sides["rejected"])
    known_chosen, known_rejected = torch.stack(references["chosen"]), torch.stack(references["rejected"])
    counts = torch.tensor(lengths["chosen"], dtype=torch.float32)
    if kind in ("sigmoid", "hinge", "ipo"):
        trainer = types.SimpleNamespace(
            accelerator=accelerator, reference_free=False, f_divergence_type="reverse_kl", f_divergence_params=None, beta=beta,
            label_smoothing=smoothing, loss_type=kind, use_weighting=False, args=types.SimpleNamespace(rpo_alpha=None))
        losses, chosen_rewards, rejected_rewards = DPO_LOSS(trainer, chosen, rejected, known_chosen, known_rejected, loss_type=kind)
    elif kind == "kto_pair":
        if KTO_PAIR:
            trainer = types.SimpleNamespace(accelerator=accelerator, reference_free=False, beta=beta, label_smoothing=0, loss_type=kind)
            losses, chosen_rewards, rejected_rewards = KTO_PAIR(trainer, chosen, rejected, known_chosen, known_rejected)
        else:
            first, second = chosen - known_chosen, rejected - known_rejected
            losses = torch.cat((1 - torch.sigmoid(beta * (first - second.mean().clamp(min=0))),
                                1 - torch.sigmoid(beta * (first.mean().clamp(min=0) - second))))
            chosen_rewards, rejected_rewards = beta * first.detach(), beta * second.detach()
    else:
        if kind == "orpo":
            log_odds = (chosen - rejected) - (torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected)))
            losses = -chosen - beta * F.logsigmoid(log_odds)
        else:
            losses = -F.logsigmoid(beta * (chosen - rejected - gamma / beta))
        chosen_rewards, rejected_rewards = beta * chosen.detach(), beta * rejected.detach()
    if bco:
        first, second = beta * (chosen - known_chosen), beta * (rejected - known_rejected)
        delta = torch.cat((first, second)).mean().detach()
        other = -F.logsigmoid(first - delta) - F.logsigmoid(-(second - delta))
        losses = (losses + bco * other) / (1 + bco)
    plain = -(chosen if averages else chosen / counts)
    if ftx:
        losses = losses + ftx * plain if losses.shape == plain.shape else losses.mean() + ftx * plain
    metrics = {
        "rewards/chosen": chosen_rewards.mean(), "rewards/rejected": rejected_rewards.mean(),
        "rewards/accuracies": (chosen_rewards > rejected_rewards).float().mean(), "rewards/margins": (chosen_rewards - rejected_rewards).mean(),
        "logps/chosen": chosen.mean(), "logps/rejected": rejected.mean(),
        # The mean over tokens, as a batch without padding has it.
        "logits/chosen": torch.cat(logits["chosen"]).mean(), "logits/rejected": torch.cat(logits["rejected"]).mean(),
    }
    if kind == "orpo":
        metrics["sft_loss"] = plain.mean()
        metrics["odds_ratio_loss"] = ((losses - plain) / beta).mean()
    losses.mean().backward()
    return {"loss": losses.mean().item(), "metrics": {name: value.item() for name, value in metrics.items()}, "gradients": gradients(model),
            "settings": {"pref_loss": kind, "pref_beta": beta, "pref_ftx": ftx, "dpo_label_smoothing": smoothing, "simpo_gamma": gamma,
                         "ld_alpha": ld_alpha, "pref_bco_weight": bco}}


def feedback(beta, chosen_weight, rejected_weight, ftx):
    model = load()
    wanted = torch.tensor([row["wanted"] for row in FEEDBACK])
    def passes(with_gradient):
        logps, others, logits = [], [], []
        for row in FEEDBACK:
            value, all_logits = forward(model, row["prompt"], row["answer"])
            logps.append(value.sum())
            logits.append(all_logits.detach())
            with torch.no_grad():
                others.append(forward(model, row["prompt"], row["other"])[0].sum())
        return torch.stack(logps), torch.stack(others), logits
    logps, others, logits = passes(True)
    with torch.no_grad(), model.disable_adapter():
        known, known_others, _ = passes(False)
    trainer = types.SimpleNamespace(
        accelerator=accelerator, beta=beta, desirable_weight=chosen_weight, undesirable_weight=rejected_weight, calculate_KL=True, loss_type="kto")
    losses, chosen_rewards, rejected_rewards, kl = KTO_LOSS(
        trainer, logps[wanted], logps[~wanted], others, known[wanted], known[~wanted], known_others)
    loss = losses.nanmean()
    if ftx:
        averages = logps / torch.tensor([len(row["answer"]) for row in FEEDBACK])
        loss = loss + ftx * (-averages[wanted]).nanmean() / wanted.sum() * len(FEEDBACK)
    sums = torch.stack([part.sum() for part in logits])
    metrics = {
        "rewards/chosen": chosen_rewards.mean(), "logps/chosen": logps[wanted].mean(), "logits/chosen": sums[wanted].mean(),
        "rewards/rejected": rejected_rewards.mean(), "logps/rejected": logps[~wanted].mean(), "logits/rejected": sums[~wanted].mean(),
        "kl": kl, "rewards/margins": chosen_rewards.mean() - rejected_rewards.mean(),
    }
    loss.backward()
    return {"loss": loss.item(), "metrics": {name: value.item() for name, value in metrics.items()}, "gradients": gradients(model),
            "settings": {"pref_beta": beta, "kto_chosen_weight": chosen_weight, "kto_rejected_weight": rejected_weight, "pref_ftx": ftx}}


def value_head():
    generator = torch.Generator().manual_seed(21)
    weight, bias = 0.3 * torch.randn(1, 16, generator=generator), 0.1 * torch.randn(1, generator=generator)
    return torch.nn.Parameter(weight), torch.nn.Parameter(bias)


def reward():
    model = load()
    weight, bias = value_head()
    scores = {"chosen": [], "rejected": []}
    for pair in PAIRS:
        for side in scores:
            hidden = model(input_ids=torch.tensor([pair["prompt"] + pair[side]]), output_hidden_states=True).hidden_states[-1][0, -1]
            scores[side].append((hidden @ weight.T + bias)[0])
    chosen, rejected = torch.stack(scores["chosen"]), torch.stack(scores["rejected"])
    loss = -F.logsigmoid(chosen - rejected).mean()
    loss.backward()
    head = {"weight": weight.grad.flatten().tolist(), "bias": bias.grad.tolist()}
    return {"loss": loss.item(), "accuracy": (chosen > rejected).float().mean().item(), "scores": [chosen.tolist(), rejected.tolist()],
            "head": {"weight": weight.flatten().tolist(), "bias": bias.tolist()}, "head_gradients": head, "gradients": gradients(model)}


# Only the functions: the packages around them want more than is installed.
trainers = os.path.join(os.path.dirname(importlib.util.find_spec("trl").origin), "trainer")
DPO_LOSS = methods_of(os.path.join(trainers, "dpo_trainer.py"), "DPOTrainer", ["dpo_loss"])["dpo_loss"]
KTO_LOSS = methods_of(os.path.join(trainers, "kto_trainer.py"), "KTOTrainer", ["kto_loss"])["kto_loss"]
folders = sys.argv[1:]
KTO_PAIR = None
if len(folders) > 1:
    KTO_PAIR = methods_of(os.path.join(folders[1], "trl", "trainer", "dpo_trainer.py"), "DPOTrainer", ["dpo_loss"])["dpo_loss"]
runs = [
    preference("sigmoid", 0.1), preference("sigmoid", 0.3, ftx=0.5, smoothing=0.2), preference("hinge", 0.2), preference("hinge", 2.0),
    preference("ipo", 0.5), preference("kto_pair", 0.4), preference("orpo", 0.7), preference("simpo", 2.0, gamma=0.9),
    preference("sigmoid", 0.5, ld_alpha=0.3), preference("sigmoid", 0.5, bco=0.8), preference("ipo", 0.2, ftx=0.1),
    preference("orpo", 0.1, ftx=0.3),
]


def policy(folder, whiten):
    """One PPO step of trl 0.9.6 on fixed answers: rewards, advantages, the loss after a drift of the policy, and what follows."""
    core = methods_of(os.path.join(folder, "trl", "core.py"), None, [
        "masked_mean", "masked_var", "masked_whiten", "clip_by_value", "entropy_from_logits", "flatten_dict"])
    SCOPE.update(core)
    functions = methods_of(os.path.join(folder, "trl", "trainer", "ppo_trainer.py"), "PPOTrainer", [
        "compute_rewards", "_kl_penalty", "compute_advantages", "loss"])
    config = types.SimpleNamespace(kl_penalty="kl", gamma=1, lam=0.95, cliprange=0.2, cliprange_value=0.2, vf_coef=0.1, ratio_threshold=10.0,
                                   whiten_rewards=whiten)
    control = types.SimpleNamespace(value=0.2)
    trainer = types.SimpleNamespace(config=config, kl_ctl=control)
    trainer._kl_penalty = types.MethodType(functions["_kl_penalty"], trainer)
    model = load()
    weight, bias = value_head()
    generator = numpy.random.default_rng(31)
    # Whitening spreads over padding in trl, so there every answer is as long as the others.
    lengths = [5, 5, 5] if whiten else [5, 3, 7]
    rows = [{"prompt": [0] + generator.integers(3, VOCABULARY, 4).tolist(), "answer": generator.integers(3, VOCABULARY, n).tolist()} for n in lengths]
    scores = torch.tensor([0.7, -1.1, 0.2])
    longest = max(lengths)

    def passes(model):
        logs, values, logits = [], [], []
        for row in rows:
            output = model(input_ids=torch.tensor([row["prompt"] + row["answer"]]), output_hidden_states=True)
            part = output.logits[0, :-1].float()
            start = len(row["prompt"]) - 1
            picked = part.log_softmax(-1).gather(1, torch.tensor((row["prompt"] + row["answer"])[1:])[:, None])[:, 0]
            value = (output.hidden_states[-1][0] @ weight.T + bias)[:-1, 0]
            pad = lambda line: F.pad(line[start:], (0, longest - len(row["answer"])))
            logs.append(pad(picked))
            values.append(pad(value))
            logits.append(F.pad(part[start:], (0, 0, 0, longest - len(row["answer"]))))
        return torch.stack(logs), torch.stack(values), torch.stack(logits)

    masks = torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])
    logs, values, logits = passes(model)
    with torch.no_grad(), model.disable_adapter():
        reference = passes(model)[0]
    with torch.no_grad():
        rewards, non_score, kls = functions["compute_rewards"](trainer, scores, logs.detach(), reference, masks)
        old_values, advantages, returns = functions["compute_advantages"](trainer, values.detach(), rewards, masks)
    noise = torch.tensor(generator.normal(0, 0.15, logs.shape), dtype=torch.float32)
    value_noise = torch.tensor(generator.normal(0, 0.3, logs.shape), dtype=torch.float32)
    old_logs = logs.detach() + noise
    loss_policy, loss_value, stats = functions["loss"](
        trainer, old_logs, old_values + value_noise * masks, logits, values, logs, masks, advantages, returns)
    (loss_policy + loss_value).backward()
    kl = (kls * masks).sum(-1).mean().item()
    cut = lambda table: [line[:n].tolist() for line, n in zip(table, lengths)]
    return {
        "rows": rows, "scores": scores.tolist(), "logs": cut(logs), "reference": cut(reference), "values": cut(values), "advantages": cut(advantages),
        "returns": cut(returns), "noise": cut(noise), "value_noise": cut(value_noise), "loss_policy": loss_policy.item(),
        "loss_value": loss_value.item(), "kl": kl, "approxkl": stats["policy/approxkl"].item(), "clipfrac": stats["policy/clipfrac"].item(),
        "value_error": stats["val/error"].item(), "value_clipfrac": stats["val/clipfrac"].item(),
        "non_score": ((non_score * masks).sum() / masks.sum()).item(), "gradients": gradients(model),
        "head": {"weight": weight.flatten().tolist(), "bias": bias.tolist()},
        "head_gradients": {"weight": weight.grad.flatten().tolist(), "bias": bias.grad.tolist()}}


def classes(path, names):
    """Whole classes of a source file that stand on torch and numpy alone."""
    tree = ast.parse(open(path, encoding="utf-8").read())
    scope = {"torch": torch, "np": numpy, "Tuple": tuple}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in names:
            exec(compile(ast.Module(body=[node], type_ignores=[]), path, "exec"), scope)
    return [scope[name] for name in names]


if folders:
    Control, Moments = classes(os.path.join(folders[0], "trl", "trainer", "utils.py"), ["AdaptiveKLController", "RunningMoments"])
    control, moments = Control(0.2, 6.0, 10000), Moments(accelerator)
    steps, batches = [], [[0.5, -1.0, 2.0], [3.0, 0.1], [-0.4, 0.4, 0.9, 1.7]]
    for kl in (9.0, 6.5, 2.0):
        control.update(kl, 32)
        steps.append({"kl": kl, "samples": 32, "penalty": control.value})
    running = []
    for batch in batches:
        moments.update(torch.tensor(batch))
        running.append({"scores": batch, "mean": float(moments.mean), "deviation": float(moments.std)})
    with open(os.path.join(target, "policy.json"), "w", encoding="utf-8") as file:
        json.dump({"steps": [policy(folders[0], False), policy(folders[0], True)], "control": steps, "moments": running}, file, separators=(",", ":"))
with open(os.path.join(target, "losses.json"), "w", encoding="utf-8") as file:
    json.dump({"pairs": PAIRS, "preference": runs, "rows": FEEDBACK,
               "feedback": [feedback(0.1, 1.0, 1.0, 0.0), feedback(0.8, 1.3, 0.6, 0.4)], "reward": reward()}, file, separators=(",", ":"))
