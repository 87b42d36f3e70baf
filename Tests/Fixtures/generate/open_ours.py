"""Opens a model and, if one is named, an adapter that Tuneboard wrote, and compares logits on the fixtures' sequences.

    python Tests/Fixtures/generate/open_ours.py MODEL ADAPTER-or-"" LOGITS.safetensors

LOGITS holds `logits`, all rows of both sequences one after the other. Exits with 1 and says by how much when they differ.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

model_directory, adapter_directory, logits_file = sys.argv[1:4]
model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32, attn_implementation="eager").eval()
sequences = json.loads((Path(__file__).resolve().parent.parent / "models" / "expected.json").read_text())["sequences"]
sequences = [[token % model.config.vocab_size for token in tokens] for tokens in sequences]
if adapter_directory:
    from peft import PeftModel

    model = PeftModel.from_pretrained(model, adapter_directory).eval()
with torch.no_grad():
    reference = torch.cat([model(torch.tensor([tokens])).logits[0].float() for tokens in sequences])
ours = load_file(logits_file)["logits"].reshape(reference.shape)
difference = (reference - ours).abs().max().item()
print(f"largest difference {difference:.3g}")
sys.exit(0 if difference < 1e-4 else 1)
