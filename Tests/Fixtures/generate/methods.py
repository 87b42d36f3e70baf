"""Makes Tests/Fixtures/methods: what PEFT and torch do by the training methods on the tiny models.

    python Tests/Fixtures/generate/methods.py

torch 2.13 (CPU), transformers 5.6.0, peft 0.18.1. Needs Tests/Fixtures/models and Tests/Fixtures/adapters. expected.json holds ten-step
curves of PiSSA (exact) and LoRA+, and what shifted attention makes of two sequences.
"""

import json
import shutil
from pathlib import Path

import torch
from adapters import EXPECTED, FIXTURES, LLAMA, QWEN2, load, logits_of, loss_of
from curves import ten_steps
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AttentionInterface, AutoModelForCausalLM

ROOT = FIXTURES / "methods"


def trained(model):
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def pissa():
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    settings = LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights="pissa")
    model = get_peft_model(load(LLAMA), settings).eval()
    before = logits_of(model)
    losses = ten_steps(model, loss_of)
    return {"start": before.flatten().tolist(), "losses": losses, "end": logits_of(model).flatten().tolist()}


def lora_plus(kind, base, ratio, embedding):
    """LLaMA-Factory's groups: B and vectors at `ratio` times the rate, B of embeddings at its own."""
    model = PeftModel.from_pretrained(load(base), FIXTURES / "adapters" / kind, is_trainable=True).eval()
    groups = {"a": [], "b": [], "embedding": []}
    for name, parameter in trained(model):
        place = "embedding" if "lora_embedding_B" in name else "b" if "lora_B" in name or parameter.ndim == 1 else "a"
        groups[place].append(parameter)
    rates = {"a": 5e-3, "b": 5e-3 * ratio, "embedding": embedding}
    return ten_steps(model, loss_of, groups=[{"params": groups[place], "lr": rates[place]} for place in groups])


def shifted(module, query, key, value, attention_mask, scaling, dropout=0.0, **arguments):
    """S2-Attn as the LongLoRA paper has it (arXiv 2309.12307): half of the heads moved by half a group, causal within groups."""
    batch, heads, length, width = query.shape
    repeats = heads // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    size = length // 4

    def move(states, places):
        first, second = states[:, : heads // 2], states[:, heads // 2 :]
        return torch.cat([first, second.roll(places, dims=2)], dim=1)

    def grouped(states):
        return move(states, -(size // 2)).reshape(batch, heads, 4, size, width)

    scores = grouped(query) @ grouped(key).transpose(-1, -2) * scaling
    scores = scores.masked_fill(torch.ones(size, size).triu(1).bool(), float("-inf"))
    attended = (scores.softmax(-1) @ grouped(value)).reshape(batch, heads, length, width)
    return move(attended, size // 2).transpose(1, 2).contiguous(), None


def shift(base):
    AttentionInterface.register("shifted", shifted)
    model = AutoModelForCausalLM.from_pretrained(FIXTURES / base, dtype=torch.float32, attn_implementation="shifted").eval()
    generator = torch.Generator().manual_seed(5)
    sequences = [torch.randint(0, model.config.vocab_size, (length,), generator=generator).tolist() for length in (16, 24)]
    with torch.no_grad():
        logits = torch.cat([model(torch.tensor([tokens])).logits[0] for tokens in sequences])
    return {"sequences": sequences, "logits": logits.flatten().tolist()}


if __name__ == "__main__":
    expected = {
        "pissa": pissa(), "loraplus": lora_plus("rslora", LLAMA, 4.0, 1e-6), "loraplus-embedding": lora_plus("embedding", LLAMA, 8.0, 1e-3),
        "shift": shift(LLAMA), "shift-bias": shift(QWEN2),
    }
    rounded = json.loads(json.dumps(expected), parse_float=lambda text: float(f"{float(text):.8g}"))
    (ROOT / "expected.json").write_text(json.dumps(rounded, separators=(",", ":")) + "\n")
