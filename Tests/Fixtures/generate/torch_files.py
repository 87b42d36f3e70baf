"""Makes Tests/Fixtures/formats/torch and Tests/Fixtures/models/qwen2-pickled: files that torch.save wrote. Needs torch, safetensors.

    python Tests/Fixtures/generate/torch_files.py    (after models.py)
"""

import collections
import json
import os
import pathlib
import shutil

import torch
from safetensors.torch import load_file

root = pathlib.Path(__file__).resolve().parent.parent
folder = root / "formats" / "torch"
folder.mkdir(parents=True, exist_ok=True)

table = torch.arange(12, dtype=torch.float32).reshape(3, 4)
state = collections.OrderedDict()
state["plain"] = table.clone()
state["transposed"] = table.clone().t()
state["rows"] = table[1:]
state["column"] = table[:, 2]
state["shared"] = table
state["parameter"] = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.bfloat16))
state["half"] = torch.tensor([0.5], dtype=torch.float16)
state["scalar"] = torch.tensor(4.0)
state["empty"] = torch.zeros(0, 5)
state["ids"] = torch.tensor([1, 2, 3])
state["mask"] = torch.tensor([True, False])
state["version"] = 3
state._metadata = collections.OrderedDict([("", {"version": 1})])
torch.save(state, folder / "reference.bin")
torch.save({"state_dict": state, "epoch": 1.5}, folder / "nested.bin")
torch.save(state, folder / "legacy.bin", _use_new_zipfile_serialization=False)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/tuneboard-was-here",)


torch.save({"weight": table, "extra": Hostile()}, folder / "hostile.bin")
torch.save({"weight": table, "extra": Hostile()}, folder / "hostile-legacy.bin", _use_new_zipfile_serialization=False)

source, target = root / "models" / "qwen2", root / "models" / "qwen2-pickled"
shutil.rmtree(target, ignore_errors=True)
target.mkdir()
shutil.copy(source / "config.json", target)
tensors = load_file(source / "model.safetensors")
names, weight_map = sorted(tensors), {}
for number, part in enumerate([names[::2], names[1::2]], 1):
    shard = f"pytorch_model-0000{number}-of-00002.bin"
    torch.save({name: tensors[name] for name in part}, target / shard)
    weight_map.update({name: shard for name in part})
index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": weight_map}
(target / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
