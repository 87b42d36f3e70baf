"""Makes Tests/Fixtures/formats. Needs torch and safetensors.

    python Tests/Fixtures/generate/formats.py
"""

import pathlib

import torch
from safetensors.torch import save_file

folder = pathlib.Path(__file__).resolve().parent.parent / "formats"
folder.mkdir(exist_ok=True)
save_file(
    {
        "layer.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "half": torch.tensor([1.0, -2.0, 3.5], dtype=torch.bfloat16),
        "scalar": torch.tensor(4.0, dtype=torch.float16),
        "empty": torch.zeros(0, 5),
        "ids": torch.tensor([1, 2, 3]),
        "mask": torch.tensor([True, False]),
    },
    folder / "reference.safetensors",
    metadata={"format": "pt", "note": "ü"},
)
