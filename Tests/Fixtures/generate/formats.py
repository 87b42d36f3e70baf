"""Makes Tests/Fixtures/formats. Needs torch, safetensors and tensorboard.

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

# An event file as TensorBoard's own records make it: the version, then one scalar.
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

with open(folder / "scalar.tfevents", "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=1.5, file_version="brain.Event:2").SerializeToString())
    point = Summary.Value(tag="train/loss", simple_value=0.25)
    writer.write(Event(wall_time=2.5, step=300, summary=Summary(value=[point])).SerializeToString())
    writer.flush()
