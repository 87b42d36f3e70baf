"""GGUF fixtures made by gguf-py (and ggml's own quantisers for the K types), for tests that need neither.

    python Tests/Fixtures/generate/gguf_files.py

Writes Tests/Fixtures/gguf: `blocks.safetensors` (numbers, their blocks, blocks of random bytes and their numbers), small Llama files
in several types as llama.cpp's converter would lay them out, and `expected.safetensors` with the logits of transformers (of the last six tokens) on each file's
dequantised weights.
"""

import ctypes
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES
from safetensors.numpy import save_file
from transformers import LlamaConfig, LlamaForCausalLM

here = Path(__file__).resolve().parent.parent / "gguf"
here.mkdir(exist_ok=True)
ggml = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]


def quantize(x: np.ndarray, type: T) -> np.ndarray:
    """Blocks of rows, [rows, bytes]."""
    try:
        return quants.quantize(x, type)
    except NotImplementedError:
        x = np.ascontiguousarray(x, np.float32)
        elements, size = GGML_QUANT_SIZES[type]
        out = np.zeros((x.shape[0], x.shape[1] // elements * size), np.uint8)
        ggml.ggml_quantize_chunk(int(type), x.ctypes.data, out.ctypes.data, 0, x.shape[0], x.shape[1], None)
        return out


rng = np.random.default_rng(5)
numbers = np.concatenate([
    rng.standard_normal((3, 512)) * 0.02, rng.standard_t(3, (2, 512)) * 0.05, rng.uniform(0, 1, (1, 512)),
    np.where(rng.random((1, 512)) < 0.9, 0, 1) * rng.standard_normal((1, 512)), np.zeros((1, 512)),
]).astype(np.float32) + np.float32(0)  # no negative zeros: which of the two is the least is numpy's choice
blocks = {"numbers": numbers}
for type in [T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q6_K]:
    blocks[f"quantized.{type.name}"] = quantize(numbers, type)
scales = {T.Q4_1: [0, 2], T.Q5_1: [0, 2], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q2_K: [80, 82], T.Q3_K: [108], T.Q6_K: [208]}
for type in [T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K]:
    elements, size = GGML_QUANT_SIZES[type]
    raw = rng.integers(0, 256, (512 // elements, size), dtype=np.uint8)
    for place in scales.get(type, [0]):  # halves that are small numbers
        raw[:, place + 1] = raw[:, place + 1] & 0x83 | 0x20
    blocks[f"bytes.{type.name}"] = raw.reshape(-1)
    blocks[f"values.{type.name}"] = quants.dequantize(raw.reshape(1, -1), type).reshape(-1)
save_file(blocks, here / "blocks.safetensors")

pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)] + [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
words = ["▁", "e", "t", "h", "o", "l", "▁t", "he", "▁the", "ll", "▁h", "ello", "el", "lo", "▁hello", "w", "r", "d", "▁w", "or", "ld", "▁wor", "▁world"]
pieces += [(word, -float(rank), 1) for rank, word in enumerate(words)]
pieces += [("<|user|>", -1000.0, 3), ("  ", -1000.0, 4)]


def permute(weight: np.ndarray, heads: int) -> np.ndarray:
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


expected = {"tokens": np.array([1, 5, 17, 9, 33, 21, 8, 36, 12, 3, 30, 27, 19, 2, 44, 51, 60, 7, 11, 13, 29, 31, 37, 41], np.int32)}


def write(name: str, hidden: int, heads: int, key_heads: int, inner: int, vocabulary: int, choose, file_type: int) -> None:
    torch.manual_seed(hidden)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=1, num_attention_heads=heads,
        num_key_value_heads=key_heads, max_position_embeddings=128, rms_norm_eps=1e-5, initializer_range=0.2, tie_word_embeddings=True,
        rope_parameters={"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 32})
    model = LlamaForCausalLM(config).float().eval()
    writer = gguf.GGUFWriter(here / f"{name}.gguf", "llama")
    writer.add_name("fixture")
    writer.add_type("model")
    writer.add_file_type(file_type)
    writer.add_vocab_size(vocabulary)
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_rope_freq_base(10000.0)
    own = pieces[:vocabulary] + [(f"[PAD{i}]", -10000.0, 5) for i in range(len(pieces), vocabulary)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([text.encode() for text, _, _ in own])
    writer.add_token_scores([score for _, score, _ in own])
    writer.add_token_types([kind for _, _, kind in own])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{{ bos_token }}{% for m in messages %}<|user|>{{ m['content'] }}{% endfor %}")
    half = hidden // heads // 2
    turns = 32 / (2 * np.pi) * 10000.0 ** (-np.arange(half) / half)
    smooth = (turns - 1) / 3
    factors = np.where(turns > 4, 1.0, np.where(turns < 1, 4.0, 1 / ((1 - smooth) / 4 + smooth))).astype(np.float32)
    writer.add_tensor("rope_freqs.weight", factors)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 1)
    kept = {}
    for key, value in model.state_dict().items():
        if key == "lm_head.weight":
            continue
        target = names.get_name(key, try_suffixes=(".weight",))
        array = value.numpy()
        group = heads if "q_proj" in key else key_heads if "k_proj" in key else 0
        if array.ndim == 1:
            writer.add_tensor(target, array)
            continue
        type = choose(target)
        data = quantize(permute(array, group) if group else array, type)
        writer.add_tensor(target, data, raw_dtype=type)
        back = quants.dequantize(data, type)
        if group:
            count = array.shape[0] // group
            back = back.reshape(group, count // 2, 2, -1).swapaxes(1, 2).reshape(array.shape)
        kept[key] = torch.from_numpy(np.ascontiguousarray(back, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model.load_state_dict(kept, strict=False)
    model.tie_weights()
    with torch.no_grad():
        expected[name] = model(torch.from_numpy(expected["tokens"]).long()[None]).logits[0, -6:].contiguous().numpy()


for name, type, number in [("f16", T.F16, 1), ("q8_0", T.Q8_0, 7), ("q4_0", T.Q4_0, 2)]:
    write(name, 32, 4, 2, 64, 288, lambda target, type=type: type, number)
write("q4_k_m", 256, 4, 1, 256, 64, lambda target: T.Q6_K if "token_embd" in target or "attn_v" in target or "down" in target else T.Q4_K, 15)
save_file(expected, here / "expected.safetensors")
