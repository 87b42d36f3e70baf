"""Makes Tests/Fixtures/adapters: an adapter of every kind that PEFT makes for the tiny models, and the numbers that PEFT gives for it.

    python Tests/Fixtures/generate/adapters.py

torch 2.13 (CPU), transformers 5.6.0, peft 0.18.1. Needs Tests/Fixtures/models and Tests/Fixtures/families. For each kind a folder as
PEFT saves it, and in expected.safetensors: `KIND.logits` with the adapter (and, checked here, after merge_and_unload),
`KIND.gradient.NAME` of what is trained, `KIND.losses` of ten AdamW steps. kinds.json lists them.
"""

import json
import re
import shutil
import warnings
from pathlib import Path

import torch
from curves import ten_steps
from peft import LoraConfig, OFTConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

warnings.filterwarnings("ignore")
FIXTURES = Path(__file__).resolve().parent.parent
ROOT = FIXTURES / "adapters"
EXPECTED = json.loads((FIXTURES / "models" / "expected.json").read_text())
SEQUENCES, LABELS = EXPECTED["sequences"], EXPECTED["labels"]
LLAMA, QWEN2, GPT2, GEMMA = "models/llama", "models/qwen2", "families/gpt2", "families/gemma2"

# name: (base, configuration, whether gradients and a curve are wanted)
KINDS = {
    "patterns": (LLAMA, dict(
        r=2, lora_alpha=6, target_modules=r"model\.layers\.\d+\.(self_attn\.(q|v|o)_proj|mlp\.(up|down)_proj)",
        exclude_modules=r".*\.1\.self_attn\.o_proj", rank_pattern={r"layers\.[01]\.self_attn\.q_proj": 3, "^model.layers.1.mlp.(up|gate)_proj": 4},
        alpha_pattern={r".*\.mlp\.\w+_proj": 5, "v_proj": 3}), False),
    "layers": (LLAMA, dict(r=2, lora_alpha=4, target_modules=["v_proj", "up_proj"], layers_to_transform=[1], layers_pattern="layers"), False),
    "linear": (LLAMA, dict(r=2, lora_alpha=4, target_modules="all-linear", exclude_modules=["k_proj"]), False),
    "rslora": (LLAMA, dict(r=4, lora_alpha=4, use_rslora=True, target_modules=["q_proj", "down_proj"]), True),
    "dora": (LLAMA, dict(r=3, lora_alpha=6, use_dora=True, target_modules=["q_proj", "k_proj", "o_proj", "down_proj"], rank_pattern={"q_proj": 5}), True),
    "dora-bias": (QWEN2, dict(r=2, lora_alpha=4, use_dora=True, use_rslora=True, target_modules=["q_proj", "v_proj", "down_proj"]), True),
    "saved": (LLAMA, dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], modules_to_save=["embed_tokens", "lm_head", "norm"]), True),
    "saved-modules": (LLAMA, dict(r=2, lora_alpha=4, target_modules=["q_proj", "down_proj"], modules_to_save=["0.mlp", "1.self_attn.q_proj"]), False),
    "saved-tied": (QWEN2, dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], modules_to_save=["embed_tokens"]), True),
    "saved-head": (QWEN2, dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], modules_to_save=["lm_head"]), True),
    "embedding": (LLAMA, dict(r=3, lora_alpha=6, target_modules=["embed_tokens", "q_proj", "lm_head"]), True),
    "embedding-tied": (QWEN2, dict(r=2, lora_alpha=4, target_modules=["embed_tokens", "v_proj"]), True),
    "embedding-scaled": (GEMMA, dict(r=2, lora_alpha=4, target_modules=["embed_tokens", "v_proj"]), False),
    "embedding-dora": (LLAMA, dict(r=3, lora_alpha=6, use_dora=True, target_modules=["embed_tokens", "o_proj"]), True),
    "bias-all": (QWEN2, dict(r=2, lora_alpha=4, target_modules=["q_proj", "up_proj"], bias="all"), True),
    "bias-lora": (QWEN2, dict(r=2, lora_alpha=4, target_modules=["q_proj", "k_proj"], bias="lora_only"), True),
    "conv1d": (GPT2, dict(r=2, lora_alpha=4, target_modules=["c_attn", "c_proj", "c_fc", "wte"], fan_in_fan_out=True), True),
    "conv1d-dora": (GPT2, dict(r=2, lora_alpha=4, use_dora=True, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True), True),
    "tokens": (LLAMA, dict(r=2, lora_alpha=4, target_modules=["q_proj"], trainable_token_indices=[3, 17, 40]), False),
    "tokens-tied": (QWEN2, dict(r=2, lora_alpha=4, target_modules=["q_proj"], trainable_token_indices={"embed_tokens": [5, 9]}), False),
    "oft": (LLAMA, dict(oft_block_size=4, target_modules=["q_proj", "k_proj", "o_proj", "down_proj"]), True),
    "oft-exact": (LLAMA, dict(r=4, oft_block_size=0, use_cayley_neumann=False, target_modules=["q_proj", "down_proj"]), True),
    "oft-shared": (LLAMA, dict(oft_block_size=4, block_share=True, num_cayley_neumann_terms=3, target_modules=["q_proj", "up_proj"],
                               modules_to_save=["lm_head"]), True),
    "oft-constrained": (LLAMA, dict(oft_block_size=8, coft=True, eps=0.02, target_modules=["q_proj", "v_proj"]), False),
}


def within(rows, model):
    """The sequences for a smaller vocabulary; -100 stays."""
    return [[token if token < 0 else token % model.config.vocab_size for token in row] for row in rows]


def load(base):
    return AutoModelForCausalLM.from_pretrained(FIXTURES / base, dtype=torch.float32, attn_implementation="eager").eval()


def logits_of(model):
    with torch.no_grad():
        return torch.cat([model(torch.tensor([tokens])).logits[0].float() for tokens in within(SEQUENCES, model)])


def loss_of(model):
    total, count = 0.0, 0
    for tokens, labels in zip(within(SEQUENCES, model), within(LABELS, model)):
        logits = model(torch.tensor([tokens])).logits[0]
        targets = torch.tensor(labels)
        total = total + torch.nn.functional.cross_entropy(logits[:-1], targets[1:], ignore_index=-100, reduction="sum")
        count += int((targets[1:] != -100).sum())
    return total / count


def saved_name(name):
    """The name under which PEFT writes a parameter."""
    name = name.replace(".modules_to_save.default", "").replace(".base_layer", "")
    if "lora_magnitude_vector" in name:
        return name.replace(".default.weight", "")
    return re.sub(r"\.default(?=\.|$)", "", name)


def main():
    values = {}
    shutil.rmtree(ROOT, ignore_errors=True)
    for seed, (kind, (base, settings, isTrained)) in enumerate(KINDS.items()):
        make = OFTConfig if kind.startswith("oft") else LoraConfig
        model = get_peft_model(load(base), make(task_type="CAUSAL_LM", **settings)).eval()
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            with torch.no_grad():
                if "magnitude" in name or "norm" in name:
                    parameter.mul_(1 + 0.2 * noise)
                elif "modules_to_save" in name or "trainable_tokens" in name or "bias" in name:
                    parameter.add_(0.1 * noise)
                else:
                    parameter.copy_(0.15 * noise)
        folder = ROOT / kind
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        path = folder / "adapter_config.json"
        configuration = json.loads(path.read_text())
        configuration["base_model_name_or_path"] = Path(base).name
        for key in ("target_modules", "exclude_modules", "modules_to_save"):
            if isinstance(configuration.get(key), list):
                configuration[key] = sorted(configuration[key])
        path.write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n")

        again = PeftModel.from_pretrained(load(base), folder, is_trainable=True).eval()
        values[f"{kind}.logits"] = logits_of(again)
        print(kind, "saved and loaded differ by", (values[f"{kind}.logits"] - logits_of(model)).abs().max().item())
        # PEFT adds an embedding's update to a tied head as well when it merges; there its own numbers before merging are the measure.
        merged = PeftModel.from_pretrained(load(base), folder).merge_and_unload().eval()
        difference = (values[f"{kind}.logits"] - logits_of(merged)).abs().max().item()
        print("   merged differs by", difference)
        assert difference < 1e-4 or kind in ("embedding-tied", "embedding-scaled", "conv1d"), kind
        if isTrained:
            loss_of(again).backward()
            for name, parameter in again.named_parameters():
                if parameter.grad is not None:
                    values[f"{kind}.gradient.{saved_name(name)}"] = parameter.grad.clone()
            values[f"{kind}.losses"] = torch.tensor(ten_steps(again, loss_of))
    kinds = [{"name": kind, "base": base, "trained": isTrained} for kind, (base, _, isTrained) in KINDS.items()]
    (ROOT / "kinds.json").write_text(json.dumps(kinds, indent=1) + "\n")
    save_file({name: value.contiguous().clone() for name, value in values.items()}, str(ROOT / "expected.safetensors"))


if __name__ == "__main__":
    main()
