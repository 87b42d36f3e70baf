"""Fixtures of single quantised layers: LoftQ's start as peft makes it, and bitsandbytes' int8 layer on inputs with outliers.

    python Tests/Fixtures/generate/quantised_layers.py

Writes Tests/Fixtures/quantised/layers.safetensors. peft 0.18.1, bitsandbytes 0.50.2, torch 2.13.
"""

from pathlib import Path

import bitsandbytes
import peft.utils.loftq_utils as loftq
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[1] / "quantised"


def loftq_start(tensors):
    # peft takes bitsandbytes' 4-bit code to a GPU; its own quantiser runs anywhere, here with bitsandbytes' table of numbers.
    loftq.is_bnb_4bit_available = lambda: False
    loftq.NFQuantizer.create_normal_map = staticmethod(lambda **_: bitsandbytes.functional.get_4bit_type("nf4", device="cpu"))
    torch.manual_seed(5)
    weight = torch.randn(48, 64) * 0.05 + torch.outer(torch.randn(48), torch.randn(64)) * 0.03
    tensors["loftq.weight"] = weight
    for rounds in (1, 4):
        base, a, b = loftq.loftq_init(weight, num_bits=4, reduced_rank=6, num_iter=rounds)
        tensors[f"loftq.{rounds}.base"] = base.contiguous()
        tensors[f"loftq.{rounds}.product"] = (b @ a).contiguous()


def int8_with_outliers(tensors):
    torch.manual_seed(6)
    weight, x = torch.randn(40, 96) * 0.2, torch.randn(12, 96)
    # Two columns beyond the threshold, one of them in a single row.
    x[:, 17] *= 30
    x[4, 60] = 25
    with torch.no_grad():
        codes, scales, _ = bitsandbytes.functional.int8_vectorwise_quant(weight.half())
        for name, threshold in (("result", 6.0), ("result_without_outliers", 0.0)):
            # LLM.int8's product: rows of x become int8 but for the columns with outliers, which are multiplied in half precision.
            x_codes, x_scales, columns = bitsandbytes.functional.int8_vectorwise_quant(x.half(), threshold=threshold)
            result, _ = torch.ops.bitsandbytes.int8_mixed_scaled_mm(x.half(), x_codes, codes, x_scales, scales, columns, None)
            tensors["int8." + name] = result.float().contiguous()
        # What the layer itself does on a processor without int8 products: x stays as it is.
        layer = bitsandbytes.nn.Linear8bitLt(96, 40, bias=False, has_fp16_weights=False, threshold=6.0)
        layer.weight = bitsandbytes.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
        tensors["int8.layer"] = layer.to("cpu")(x).float().contiguous()
        tensors["int8.weight"], tensors["int8.x"] = weight, x


def main():
    tensors = {}
    loftq_start(tensors)
    int8_with_outliers(tensors)
    save_file(tensors, ROOT / "layers.safetensors")


if __name__ == "__main__":
    main()
