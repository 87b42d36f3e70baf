"""Opens models and, where one is named, adapters that Tuneboard wrote, and compares logits.

    python Tests/Fixtures/generate/open_ours.py (MODEL ADAPTER-or-"" LOGITS.safetensors)...

LOGITS holds `logits`, all rows of all sequences one after the other, and, unless they are those of the models' fixtures, the
sequences' `tokens` and `lengths`. Exits with 1 and says by how much when they differ by more than 1e-4 of their scale.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

usual = json.loads((Path(__file__).resolve().parent.parent / "models" / "expected.json").read_text())["sequences"]
failed = False
for model_directory, adapter_directory, logits_file in zip(*[iter(sys.argv[1:])] * 3):
    ours = load_file(logits_file)
    sequences = usual
    if "tokens" in ours:
        sequences = [part.tolist() for part in ours["tokens"].long().split(ours["lengths"].tolist())]
    model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32, attn_implementation="eager").eval()
    if adapter_directory:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter_directory).eval()
    with torch.no_grad():
        reference = torch.cat([model(torch.tensor([tokens])).logits[0].float() for tokens in sequences])
    difference = (reference - ours["logits"].reshape(reference.shape)).abs().max().item() / max(1, reference.abs().max().item())
    print(f"{model_directory}: largest difference {difference:.3g} of the scale")
    failed = failed or not difference < 1e-4
sys.exit(1 if failed else 0)
