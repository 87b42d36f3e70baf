"""Makes Tests/Fixtures/quantised: what bitsandbytes makes of weights, tiny quantised checkpoints, and the numbers of models on them.

Run from the root of the repository, with torch 2.13 (CPU), transformers 5.6.0, peft 0.18.1, bitsandbytes 0.50.2, accelerate:

    python Tests/Fixtures/generate/quantised.py

GPTQ and AWQ checkpoints are packed here by the formulas of their papers' programs; their expected weights are scale * (code - zero).
"""

import json
import shutil
from pathlib import Path

import bitsandbytes.functional as F
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

import quantised_layers

ROOT = Path(__file__).resolve().parent.parent / "quantised"
SEQUENCES = [[0, 5, 17, 9, 33, 21, 8, 46, 12, 3, 40, 27, 19], [0, 31, 4, 4, 25, 38, 11]]
LABELS = [[-100, -100, -100, -100, 33, 21, 8, 46, 12, 3, 40, 27, 1], [-100, 31, 4, -100, 25, 38, 11]]


def numbers():
    """Codes, scales and numbers of single matrices, whole blocks and ragged ones."""
    torch.manual_seed(7)
    tensors = {}
    for name, shape in (("even", (16, 64)), ("ragged", (7, 50)), ("large", (40, 330))):
        weight = torch.randn(shape) * 0.05
        weight[0, 0] = 1.5
        if name == "even":
            weight[2] = 0  # blocks of zeros
        weight = weight.half().float()
        tensors[f"{name}.weight"] = weight.half()
        for kind in ("nf4", "fp4"):
            packed, state = F.quantize_4bit(weight, blocksize=64, quant_type=kind)
            tensors[f"{name}.{kind}.codes"] = packed.flatten()
            tensors[f"{name}.{kind}.absmax"] = state.absmax
            if name != "large":
                tensors[f"{name}.{kind}.numbers"] = F.dequantize_4bit(packed, state)
        # The scales' scales by the definition (nearest number), which the library's CPU code approximates with a table.
        absmax = tensors[f"{name}.nf4.absmax"]
        offset = absmax.mean()
        dynamic = F.create_dynamic_map()
        codes, nested = blockwise(absmax - offset, dynamic)
        tensors[f"{name}.double.codes"], tensors[f"{name}.double.absmax"] = codes, nested
        tensors[f"{name}.double.offset"] = offset.reshape(1)
        # What the library itself makes of them here.
        packed, state = F.quantize_4bit(weight, blocksize=64, quant_type="nf4", compress_statistics=True)
        tensors[f"{name}.double.library_codes"] = state.absmax
        codes, largest, _ = F.int8_vectorwise_quant(weight.half())
        tensors[f"{name}.int8.codes"] = codes
        if name != "large":
            tensors[f"{name}.int8.numbers"] = codes.float().mul_(largest.unsqueeze(1).mul(1.0 / 127.0))
    tensors["dynamic"] = F.create_dynamic_map()
    save_file(tensors, ROOT / "numbers.safetensors")


def blockwise(values, table):
    """The arithmetic of bitsandbytes/backends/default/ops.py for quantize_blockwise."""
    blocks = values.split(256)
    scales = torch.stack([block.abs().max().clamp(min=1e-38) for block in blocks])
    scaled = [block * (1 / scale) if len(block) == 256 else block / scale for block, scale in zip(blocks, scales)]
    bounds = (table[:-1] + table[1:]) / 2
    return torch.bucketize(torch.cat(scaled).clamp(-1, 1), bounds).to(torch.uint8), scales


def base():
    # Rows are whole blocks: with shorter ones, bitsandbytes 0.50.2's CPU code makes other numbers than its definition.
    folder = ROOT / "base"
    torch.manual_seed(3)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=48, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1, pad_token_id=2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(1 + 0.2 * torch.randn(parameter.shape) if "norm" in name else 0.2 * torch.randn(parameter.shape))
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def adapter(folder):
    torch.manual_seed(11)
    model = get_peft_model(LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32),
                           LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", lora_dropout=0.0))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape))
    model.peft_config["default"].base_model_name_or_path = "base"
    model.save_pretrained(ROOT / "adapter")
    (ROOT / "adapter" / "README.md").unlink(missing_ok=True)


def logits(model):
    return torch.cat([model(input_ids=torch.tensor([row])).logits[0].float() for row in SEQUENCES])


def loss(model):
    total, count = 0, 0
    for row, labels in zip(SEQUENCES, LABELS):
        predicted = model(input_ids=torch.tensor([row])).logits[0, :-1].float()
        wanted = torch.tensor(labels[1:])
        total = total + torch.nn.functional.cross_entropy(predicted, wanted, ignore_index=-100, reduction="sum")
        count += int((wanted != -100).sum())
    return total / count


def steps(model):
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=5e-3, weight_decay=0.01)
    losses, gradients = [], {}
    for step in range(10):
        value = loss(model)
        value.backward()
        if step == 0:
            gradients = {name.replace(".default", ""): parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
        losses.append(value.item())
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return losses, gradients


def bitsandbytes_models(folder, expected):
    configurations = {
        "nf4-double": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32),
        "nf4": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32),
        "fp4": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="fp4", bnb_4bit_compute_dtype=torch.float32),
        "int8": BitsAndBytesConfig(load_in_8bit=True),
    }
    tensors = {}
    for name, configuration in configurations.items():
        def load():
            return AutoModelForCausalLM.from_pretrained(folder, quantization_config=configuration, dtype=torch.float32, device_map="cpu")

        model = load()
        if name in ("nf4-double", "int8"):
            model.save_pretrained(ROOT / f"bnb-{name}")
        with torch.no_grad():
            model.train()  # int8's arithmetic in training: the weight's numbers, no quantised activations
            tensors[f"{name}.logits"] = logits(model)
        model = PeftModel.from_pretrained(load(), ROOT / "adapter", is_trainable=True)
        model.train()
        losses, gradients = steps(model)
        expected[name] = {"losses": losses}
        for key, value in gradients.items():
            if ("q_proj" in key or "down_proj" in key) and name in ("nf4-double", "int8"):
                tensors[f"{name}.{key}"] = value
    save_file(tensors, ROOT / "bitsandbytes-expected.safetensors")


def stream(codes, bits):
    """Codes [n, columns] along the first axis as 32-bit words of one stream of bits for each column."""
    count, columns = codes.shape
    words = torch.zeros((count * bits // 32, columns), dtype=torch.int64)
    for index in range(count):
        bit = index * bits
        word, shift = divmod(bit, 32)
        words[word] |= (codes[index].long() << shift) & 0xFFFFFFFF
        if shift + bits > 32:
            words[word + 1] |= codes[index].long() >> (32 - shift)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


def awq_words(codes):
    """Codes [rows, columns], eight columns to a word in the order 0 2 4 6 1 3 5 7."""
    words = torch.zeros((codes.shape[0], codes.shape[1] // 8), dtype=torch.int64)
    for place, column in enumerate([0, 2, 4, 6, 1, 3, 5, 7]):
        words |= codes[:, column::8].long() << (4 * place)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


def grouped_models(folder, expected):
    full = load_file(folder / "model.safetensors")
    configuration = json.loads((folder / "config.json").read_text())
    tensors = {}
    cases = {
        "gptq-4": dict(bits=4, size=16, symmetric=True, ordered=True), "gptq-3": dict(bits=3, size=16, symmetric=False, ordered=True),
        "gptq-2": dict(bits=2, size=32, symmetric=False, ordered=True), "gptq-8-act": dict(bits=8, size=16, symmetric=False, ordered=False),
        "gptq-4-v2": dict(bits=4, size=-1, symmetric=False, ordered=True), "awq": dict(bits=4, size=16, symmetric=False, ordered=True),
    }
    for number, (name, case) in enumerate(cases.items()):
        generator = torch.Generator().manual_seed(number)
        stored, numbers = {}, {}
        for key, weight in full.items():
            if "_proj" not in key:
                stored[key] = weight
                continue
            module = key.removesuffix(".weight")
            w = weight.float().T.contiguous()  # [in, out]
            inputs, outputs = w.shape
            size = inputs if case["size"] == -1 else case["size"]
            groups = inputs // size
            group = torch.arange(inputs) // size
            if not case["ordered"]:
                group = group[torch.randperm(inputs, generator=generator)]
            top = 2 ** case["bits"] - 1
            scales, zeros = torch.zeros(groups, outputs), torch.zeros(groups, outputs)
            for g in range(groups):
                part = w[group == g]
                low, high = part.min(0).values.clamp(max=0), part.max(0).values.clamp(min=0)
                if case["symmetric"]:
                    high = torch.maximum(high, -low)
                    scales[g], zeros[g] = 2 * high / top, (top + 1) / 2
                else:
                    scales[g] = (high - low) / top
                    zeros[g] = torch.round(-low / scales[g]).clamp(0, top)
            scales = scales.half()
            codes = torch.round(w / scales.float()[group] + zeros[group]).clamp(0, top)
            numbers[key] = (scales.float()[group] * (codes - zeros[group])).T.contiguous()
            if name == "awq":
                stored[module + ".qweight"], stored[module + ".qzeros"] = awq_words(codes), awq_words(zeros)
            else:
                offset = 0 if name.endswith("v2") else 1
                stored[module + ".qweight"] = stream(codes, case["bits"])
                stored[module + ".qzeros"] = stream(((zeros - offset).long() % (top + 1)).T.contiguous(), case["bits"]).T.contiguous()
                stored[module + ".g_idx"] = group.to(torch.int32)
                if number == 0:
                    stored[module + ".bias"] = torch.zeros(outputs, dtype=torch.float16)
            stored[module + ".scales"] = scales
        target = ROOT / name
        target.mkdir()
        save_file({key: value.contiguous() for key, value in stored.items()}, target / "model.safetensors", metadata={"format": "pt"})
        if name == "awq":
            quantisation = dict(quant_method="awq", bits=4, group_size=16, version="gemm", zero_point=True)
        else:
            quantisation = dict(quant_method="gptq", bits=case["bits"], group_size=case["size"], sym=case["symmetric"],
                                desc_act=not case["ordered"], checkpoint_format="gptq_v2" if name.endswith("v2") else "gptq")
        (target / "config.json").write_text(json.dumps(configuration | {"quantization_config": quantisation}, indent=2))

        def load():
            model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
            model.load_state_dict(numbers, strict=False)
            return model

        with torch.no_grad():
            tensors[f"{name}.logits"] = logits(load())
        key = "model.layers.0.mlp.down_proj.weight"
        tensors[f"{name}.{key}"] = numbers[key][:16].clone()
        losses, _ = steps(PeftModel.from_pretrained(load(), ROOT / "adapter", is_trainable=True))
        expected[name] = {"losses": losses}
    save_file(tensors, ROOT / "grouped-expected.safetensors")


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    expected = {"sequences": SEQUENCES, "labels": LABELS}
    numbers()
    folder = base()
    adapter(folder)
    bitsandbytes_models(folder, expected)
    grouped_models(folder, expected)
    quantised_layers.main()
    for path in ROOT.rglob("generation_config.json"):
        path.unlink()
    (ROOT / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
