"""Twenty steps of each optimizer on a tiny Llama's weights with made-up gradients, by the programs that invented them.

    python Tests/Fixtures/generate/optimizers.py

torch 2.13 (CPU), transformers 5.6.0, bitsandbytes 0.50.2, galore-torch 1.0, apollo-torch 1.0.3, adam-mini 1.1.1, badam 1.4. The
weights are those of Tests/Fixtures/training/llama. Writes Tests/Fixtures/optimizers/steps.safetensors: for each optimizer and
parameter every 13th element after the last step, and eight_bit.safetensors.
"""

import os
import warnings

import numpy
import torch
from adam_mini import Adam_mini
from apollo_torch import APOLLOAdamW
from badam import BlockOptimizer, BlockOptimizerRatio
from bitsandbytes.optim import AdamW8bit
from galore_torch import GaLoreAdamW
from safetensors.torch import save_file
from transformers import Adafactor, LlamaForCausalLM

warnings.filterwarnings("ignore")
here = os.path.dirname(os.path.abspath(__file__))
target = os.path.join(here, "..", "optimizers")
os.makedirs(target, exist_ok=True)
torch.set_num_threads(1)
RATE, DECAY, STEPS, STRIDE = 0.01, 0.1, 20, 13


def made_up(ordinal, step, count):
    """Numbers between -0.5 and 0.5 that any language makes alike."""
    x = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(2654435761)
    x += numpy.uint32((ordinal * 40503 + step * 2246822519) % 2**32)
    x ^= x >> numpy.uint32(15)
    x *= numpy.uint32(2246822519)
    x ^= x >> numpy.uint32(13)
    x *= numpy.uint32(3266489917)
    x ^= x >> numpy.uint32(16)
    return torch.tensor((x >> numpy.uint32(8)).astype(numpy.float64) / 2**24 - 0.5, dtype=torch.float32)


decompose = torch.linalg.svd


def settled(matrix, full_matrices=True):
    """Pairs of singular vectors may change their sign together: the largest element of each left one is positive here."""
    u, s, v = decompose(matrix, full_matrices=full_matrices)
    signs = torch.sign(u.gather(0, u.abs().argmax(0, keepdim=True))[0])
    return u * signs, s, v * signs[:, None]


torch.linalg.svd = settled


def groups(model, apart=lambda name, parameter: False, **settings):
    """Parameters with decay, without, and those that are treated apart."""
    decaying, others, special = [], [], []
    for name, parameter in model.named_parameters():
        if apart(name, parameter):
            special.append(parameter)
        elif "norm" in name or "bias" in name:
            others.append(parameter)
        else:
            decaying.append(parameter)
    found = [dict(params=others, weight_decay=0.0), dict(params=decaying, weight_decay=DECAY)]
    return found + ([dict(params=special, weight_decay=DECAY, **settings)] if special else [])


def is_linear(name, parameter):
    return "proj" in name and parameter.ndim == 2


class Pair:
    def __init__(self, *members):
        self.members = members

    def step(self):
        for member in self.members:
            member.step()


def muon(model):
    # The iteration stays in f32, so that there is something exact to compare with.
    torch.Tensor.bfloat16 = lambda self: self
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n and "lm_head" not in n]
    rest = [p for n, p in model.named_parameters() if not any(p is q for q in inner)]

    class Companion:
        """AdamW with epsilon beside the uncorrected root, and decay for all, as Muon's published program treats the rest."""

        def __init__(self):
            self.number, self.first, self.second = 0, [torch.zeros_like(p) for p in rest], [torch.zeros_like(p) for p in rest]

        @torch.no_grad()
        def step(self):
            self.number += 1
            for p, m, v in zip(rest, self.first, self.second):
                m.lerp_(p.grad, 0.1)
                v.lerp_(p.grad.square(), 0.001)
                scale = (1 - 0.9**self.number) / (1 - 0.999**self.number) ** 0.5
                p.mul_(1 - RATE * DECAY).add_(m / (1e-8 + v.sqrt()), alpha=-RATE / scale)

    return Pair(
        torch.optim.Muon(inner, lr=RATE, weight_decay=DECAY, momentum=0.95, nesterov=True, adjust_lr_fn="match_rms_adamw"), Companion())


def block(model):
    # badam gives all parameters the optimizer's default decay, whatever their group says.
    base = torch.optim.AdamW(groups(model), lr=RATE, weight_decay=0.0)
    return BlockOptimizer(
        base_optimizer=base, named_parameters_list=list(model.named_parameters()), switch_block_every=6, switch_mode="descending", verbose=0)


def ratio(model):
    return BlockOptimizerRatio(
        param_groups=groups(model), named_parameters_list=list(model.named_parameters()), update_ratio=0.3, mask_mode="adjacent",
        verbose=0, lr=RATE)


projected = dict(rank=4, update_proj_gap=7)
CASES = {
    "adafactor": lambda m: Adafactor(groups(m), lr=RATE, scale_parameter=False, relative_step=False),
    "sgd": lambda m: torch.optim.SGD(groups(m), lr=RATE, momentum=0.9, nesterov=True),
    "sgd_dampened": lambda m: torch.optim.SGD(groups(m), lr=RATE, momentum=0.8, dampening=0.3),
    "adagrad": lambda m: torch.optim.Adagrad(groups(m), lr=RATE, lr_decay=0.05),
    "rmsprop": lambda m: torch.optim.RMSprop(groups(m), lr=RATE, momentum=0.5),
    "adam_mini": lambda m: Adam_mini(
        m.named_parameters(), lr=RATE, weight_decay=DECAY, dim=m.config.hidden_size, n_heads=m.config.num_attention_heads,
        n_kv_heads=m.config.num_key_value_heads, verbose=False),
    "galore": lambda m: GaLoreAdamW(
        groups(m, is_linear, scale=2.0, proj_type="std", **projected), lr=RATE, eps=1e-8, no_deprecation_warning=True),
    "galore_full": lambda m: GaLoreAdamW(
        groups(m, is_linear, scale=0.5, proj_type="full", **projected), lr=RATE, eps=1e-8, no_deprecation_warning=True),
    "apollo": lambda m: APOLLOAdamW(
        groups(m, is_linear, scale=8.0, proj="svd", proj_type="std", scale_type="channel", **projected), lr=RATE, eps=1e-8),
    "apollo_tensor": lambda m: APOLLOAdamW(
        groups(m, is_linear, scale=2.0, proj="svd", proj_type="std", scale_type="tensor", **projected), lr=RATE, eps=1e-8,
        scale_front=True),
    "badam": block,
    "badam_ratio": ratio,
    "muon": muon,
}

kept = {}
for name, make in CASES.items():
    model = LlamaForCausalLM.from_pretrained(os.path.join(here, "..", "training", "llama"), dtype=torch.float32)
    optimizer = make(model)
    for step in range(STEPS):
        for ordinal, (_, parameter) in enumerate(model.named_parameters()):
            parameter.grad = None
            if parameter.requires_grad:
                gradient = made_up(ordinal, step, parameter.numel()).reshape(parameter.shape)
                if name == "badam_ratio":
                    # Its hooks make gradients sparse as a backward pass leaves them.
                    (parameter * gradient).sum().backward()
                else:
                    parameter.grad = gradient
        optimizer.step()
    for parameter_name, parameter in model.named_parameters():
        kept[name + ":" + parameter_name] = parameter.detach().flatten()[::STRIDE].clone()
save_file(kept, os.path.join(target, "steps.safetensors"))

weight = torch.nn.Parameter(made_up(99, 99, 4800).reshape(300, 16))
optimizer = AdamW8bit([weight], lr=RATE, weight_decay=DECAY)
for step in range(STEPS):
    weight.grad = made_up(0, step, weight.numel()).reshape(weight.shape)
    optimizer.step()
state = optimizer.state[weight]
save_file(
    {"weight": weight.detach().flatten()[::STRIDE].clone(), "qmap1": state["qmap1"], "qmap2": state["qmap2"],
     "absmax1": state["absmax1"], "absmax2": state["absmax2"]},
    os.path.join(target, "eight_bit.safetensors"))
