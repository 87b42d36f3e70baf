"""Makes Tests/Fixtures/families: one tiny random model for each family, with the numbers that its reference gives.

Run from the root of the repository, with torch 2.13 (CPU), transformers 5.6.0, peft 0.18.1 and safetensors:

    python Tests/Fixtures/generate/families.py [family ...]

Weights are rounded to bf16 and stored so; the reference widens them and computes in f32. Each folder holds the checkpoint
(config.json, model.safetensors) and what is expected of it (expected.safetensors: logits and gradients in f32, the same from a
model that computes in bf16; expected.json: loss, 32 greedy tokens, ten losses of LoRA training). Mixtures of experts come with
the load-balancing loss and with the experts of a layer in one tensor (`fused`). Families that transformers 5 leaves to code on
the hub are written down here in a few lines from their published formulas. Everything is seeded.
"""

import copy
import json
import math
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as functional
import transformers
from curves import ten_steps
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn

ROOT = Path(__file__).resolve().parent.parent / "families"
VOCABULARY, HIDDEN, INNER, HEADS, DIMENSION = 40, 16, 24, 4, 8
SEQUENCES = [
    [0, 5, 17, 9, 33, 21, 8, 36, 12, 3, 30, 27, 19],
    [0, 31, 4, 4, 25, 38, 11],
]
LABELS = [
    [-100, -100, -100, -100, 33, 21, 8, 36, 12, 3, 30, 27, 1],
    [-100, 31, 4, -100, 25, 38, 11],
]
PROMPT = [0, 14, 7, 29, 32]

COMMON = dict(
    vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=2, num_attention_heads=HEADS,
    num_key_value_heads=2, max_position_embeddings=64, bos_token_id=0, eos_token_id=1, pad_token_id=2)
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ATTENTION = ALL[:4]
CLASSES = {"GPT2": "GPT2LMHeadModel", "Gemma3Text": "Gemma3ForCausalLM"}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def randomise(model, seed):
    """Weights large enough that every path shows in the logits, and norms and biases that are not the identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = "norm" in name or ".ln_" in name
        with torch.no_grad():
            if name.endswith("bias"):
                value = 0.3 * noise
            elif is_norm and "emma" in type(model).__name__:
                value = 0.2 * noise
            elif is_norm:
                value = 1 + 0.2 * noise
            elif name.endswith("mlp.gate.weight"):  # A router: choices must not hang on the last bit.
                value = noise
            else:
                value = 0.25 * noise
            parameter.copy_(value.to(torch.bfloat16).float())
    return model.eval()


def logits_of(model, sequences=SEQUENCES):
    with torch.no_grad():
        return torch.cat([forward(model, tokens).float() for tokens in sequences])


def forward(model, tokens):
    output = model(torch.tensor([tokens]))
    return (output if isinstance(output, torch.Tensor) else output.logits)[0]


def loss_of(model):
    """Cross-entropy summed over both sequences and divided by the number of tokens with loss."""
    total, count = 0.0, 0
    for tokens, labels in zip(SEQUENCES, LABELS):
        targets = torch.tensor(labels)
        total = total + functional.cross_entropy(forward(model, tokens)[:-1], targets[1:], ignore_index=-100, reduction="sum")
        count += int((targets[1:] != -100).sum())
    return total / count


def greedy(model):
    tokens = list(PROMPT)
    with torch.no_grad():
        for _ in range(32):
            tokens.append(int(forward(model, tokens)[-1].argmax()))
    return tokens[len(PROMPT):]


def adapter_steps(model, targets, rename):
    """Ten losses of AdamW on a LoRA adapter whose A and B start from a fixed sine, which the test can make as well."""
    tuned = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=targets, bias="none"))
    trained = {}
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            module, kind = name.removeprefix("base_model.model.").split(".lora_")
            trained[rename(module + ".weight").removesuffix(".weight") + ".lora_" + kind] = parameter
    for index, (_, parameter) in enumerate(sorted(trained.items())):
        with torch.no_grad():
            steps = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_((0.1 * torch.sin(1.0 + index + 0.7 * steps)).float().view(parameter.shape))
    return ten_steps(tuned, loss_of)


def balanced(model, weight):
    """The load-balancing loss of both sequences in one padded batch, and the routers' gradients with it."""
    model.zero_grad()
    length = max(map(len, SEQUENCES))
    tokens = torch.tensor([row + [2] * (length - len(row)) for row in SEQUENCES])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in SEQUENCES])
    output = model(tokens, attention_mask=mask, output_router_logits=True)
    labels = torch.tensor([row + [-100] * (length - len(row)) for row in LABELS])[:, 1:]
    loss = functional.cross_entropy(output.logits[:, :-1].flatten(0, 1), labels.flatten(), ignore_index=-100) + weight * output.aux_loss
    loss.backward()
    routers = {"balanced." + name: p.grad.clone() for name, p in model.named_parameters() if name.endswith("mlp.gate.weight")}
    return output.aux_loss.item(), routers


def split_experts(name, value, rename):
    """Checkpoints name each expert's matrices; transformers 5 computes with one tensor for all."""
    if name.endswith(".experts.gate_up_proj"):
        for index, both in enumerate(value):
            gate, up = both.chunk(2, 0)
            yield rename(f"{name.removesuffix('gate_up_proj')}{index}.gate_proj.weight"), gate
            yield rename(f"{name.removesuffix('gate_up_proj')}{index}.up_proj.weight"), up
    elif name.endswith(".experts.down_proj"):
        for index, down in enumerate(value):
            yield rename(f"{name.removesuffix('down_proj')}{index}.down_proj.weight"), down
    else:
        yield rename(name), value


def gradients_of(model, rename):
    model.zero_grad()
    loss = loss_of(model)
    loss.backward()
    found = [pair for name, p in model.named_parameters() for pair in split_experts(name, p.grad, rename)]
    return loss.item(), {name: value.clone() for name, value in found}


def write(name, model, configuration=None, rename=lambda name: name, targets=None):
    """Saves a checkpoint as its family publishes it, and what it must give."""
    directory = ROOT / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    if configuration is None:
        model.to(torch.bfloat16).save_pretrained(directory)
        if name in MIXTURES:
            model.save_pretrained(directory / "fused", save_original_format=False)
        for folder in [directory, directory / "fused"]:
            (folder / "generation_config.json").unlink(missing_ok=True)
        native = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.bfloat16, attn_implementation="eager").eval()
        model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    else:
        (directory / "config.json").write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n")
        weights = {rename(name): value.to(torch.bfloat16).contiguous() for name, value in model.state_dict().items()}
        save_file(weights, str(directory / "model.safetensors"), metadata={"format": "pt"})
        native = copy.deepcopy(model).to(torch.bfloat16)
    loss, gradients = gradients_of(model, rename)
    _, rough = gradients_of(native, rename)
    values = {"gradient." + key: value for key, value in gradients.items()}
    values.update({"gradient.bfloat16." + key: value.to(torch.bfloat16) for key, value in rough.items()})
    values["logits"] = logits_of(model)
    values["logits.bfloat16"] = logits_of(native).to(torch.bfloat16)
    expected = {"loss": loss, "greedy": greedy(model), "targets": [rename(target + ".weight").removesuffix(".weight") for target in targets]}
    if name == "phi3":
        # With a cache, generate() of transformers 5.6 drops it where LongRoPE's long factors begin and then feeds the last token only.
        model.generation_config.eos_token_id = None
        generate = lambda **more: model.generate(torch.tensor([PROMPT]), do_sample=False, use_cache=False, **more)[0, len(PROMPT):].tolist()
        assert generate(max_new_tokens=32) == expected["greedy"]
        expected["beams"] = generate(max_new_tokens=20, num_beams=2)
    if name in MIXTURES:
        expected["balanceWeight"] = 0.5
        expected["balance"], routers = balanced(model, 0.5)
        values.update({rename(key): value for key, value in routers.items()})
    save_file({key: value.contiguous().clone() for key, value in values.items()}, str(directory / "expected.safetensors"))
    used = [key for key, value in gradients.items() if value.any()]  # Some experts get no token.
    cosines = {key: functional.cosine_similarity(rough[key].float().flatten(), gradients[key].flatten(), 0).item() for key in used}
    print(name, "least cosine of a gradient in bf16", min(cosines.items(), key=lambda pair: pair[1]))
    expected["adapterLosses"] = adapter_steps(model, targets, rename)
    (directory / "expected.json").write_text(json.dumps(expected) + "\n")


def from_transformers(name, class_name, seed, targets, rename=lambda name: name, **settings):
    configuration = getattr(transformers, class_name + "Config")(**settings)
    configuration._attn_implementation = "eager"
    model_class = getattr(transformers, CLASSES.get(class_name, class_name + "ForCausalLM"))
    write(name, randomise(model_class(configuration), seed), rename=rename, targets=targets)


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)).to(x.dtype) * self.weight


def causal_attention(query, key, value, slopes=None):
    """query [T, heads, d], key and value [T, key heads, d]; slopes add slope * (key - query) to the scores (ALiBi)."""
    length, heads, dimension = query.shape
    key = key.repeat_interleave(heads // key.shape[1], 1)
    value = value.repeat_interleave(heads // value.shape[1], 1)
    scores = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(dimension)
    places = torch.arange(length)
    if slopes is not None:
        scores = scores + slopes[:, None, None] * (places[None, None, :] - places[None, :, None])
    scores = scores.masked_fill(places[None, :] > places[:, None], float("-inf"))
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    return torch.einsum("hqk,khd->qhd", weights, value).reshape(length, -1)


def angles(length, dimension, base=10000.0):
    frequencies = 1.0 / base ** (torch.arange(0, dimension, 2).float() / dimension)
    return torch.outer(torch.arange(length).float(), frequencies)


def rotate_halves(x):
    angle = angles(x.shape[0], x.shape[-1])[:, None, :]
    low, high = x.chunk(2, -1)
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    return torch.cat([low * cosine - high * sine, high * cosine + low * sine], -1)


def rotate_half_of_pairs(x):
    """The first half of each head in pairs (2i, 2i + 1); the rest as it is (ChatGLM2)."""
    rotated, kept = x.chunk(2, -1)
    angle = angles(x.shape[0], rotated.shape[-1])[:, None, :]
    even, odd = rotated[..., 0::2], rotated[..., 1::2]
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    turned = torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], -1)
    return torch.cat([turned.flatten(-2), kept], -1)


def alibi_slopes(heads):
    """Press et al., 2022: powers of 2^(-8/n); other numbers of heads are filled up from twice the power of two below."""
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (index + 1) / power) for index in range(power)]
    slopes += [2 ** (-8 * (index + 1) / (2 * power)) for index in range(0, 2 * (heads - power), 2)]
    return torch.tensor(slopes)


class Reference(nn.Module):
    """A Llama whose attention is given, with module names that `rename` turns into the family's."""

    def __init__(self, heads, key_heads, dimension, rotate, kind, has_bias=False, slopes=None, unit_rows=False, fused_gate=False):
        super().__init__()
        self.heads, self.key_heads, self.dimension, self.rotate = heads, key_heads, dimension, rotate
        self.kind, self.slopes, self.unit_rows, self.fused_gate = kind, slopes, unit_rows, fused_gate
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.blocks = nn.ModuleList()
        for _ in range(2):
            block = nn.ModuleDict({
                "attention_norm": Norm(HIDDEN, 1e-5), "output": nn.Linear(heads * dimension, HIDDEN, bias=False),
                "feed_norm": Norm(HIDDEN, 1e-5), "down": nn.Linear(INNER, HIDDEN, bias=False),
                "qkv": nn.Linear(HIDDEN, (heads + 2 * key_heads) * dimension, bias=has_bias)})
            if fused_gate:
                block["gate_up"] = nn.Linear(HIDDEN, 2 * INNER, bias=False)
            else:
                block["gate"] = nn.Linear(HIDDEN, INNER, bias=False)
                block["up"] = nn.Linear(HIDDEN, INNER, bias=False)
            self.blocks.append(block)
        self.norm = Norm(HIDDEN, 1e-5)
        self.head = nn.Linear(HIDDEN, VOCABULARY, bias=False)

    def project(self, fused):
        length, groups = fused.shape[0], self.heads // self.key_heads
        if self.kind == "grouped":  # [key heads][its queries, its key, its value]
            parts = fused.view(length, self.key_heads, groups + 2, self.dimension)
            return parts[:, :, :groups].reshape(length, self.heads, self.dimension), parts[:, :, groups], parts[:, :, groups + 1]
        parts = fused.view(length, -1, self.dimension)
        return parts[:, :self.heads], parts[:, self.heads:self.heads + self.key_heads], parts[:, self.heads + self.key_heads:]

    def forward(self, tokens):
        x = self.embedding(tokens[0])
        for block in self.blocks:
            query, key, value = self.project(block["qkv"](block["attention_norm"](x)))
            x = x + block["output"](causal_attention(self.rotate(query), self.rotate(key), value, self.slopes))
            fed = block["feed_norm"](x)
            gate, up = block["gate_up"](fed).chunk(2, -1) if self.fused_gate else (block["gate"](fed), block["up"](fed))
            x = x + block["down"](functional.silu(gate) * up)
        weight = functional.normalize(self.head.weight) if self.unit_rows else self.head.weight
        return (self.norm(x) @ weight.T)[None]


def renaming(**names):
    """A function from the reference's names to the family's; `#` is the layer."""
    def rename(name):
        module, _, kind = name.rpartition(".")
        if module in names and "#" in names[module]:  # a target: the last part alone
            return names[module].rpartition(".")[2] + "." + kind
        if module.startswith("blocks."):
            _, layer, part = module.split(".")
            return names[part].replace("#", layer) + "." + kind
        return names[module] + "." + kind
    return rename


LLAMA_NAMES = dict(
    embedding="model.embed_tokens", attention_norm="model.layers.#.input_layernorm", qkv="model.layers.#.self_attn.W_pack",
    output="model.layers.#.self_attn.o_proj", feed_norm="model.layers.#.post_attention_layernorm", gate="model.layers.#.mlp.gate_proj",
    up="model.layers.#.mlp.up_proj", down="model.layers.#.mlp.down_proj", norm="model.norm", head="lm_head")


REFERENCE_TARGETS = ["qkv", "output", "gate", "up", "down"]


def published(model_type, **settings):
    return {
        "model_type": model_type, "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": 2,
        "rms_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16", "tie_word_embeddings": False, **settings}


def make_baichuan():
    model = Reference(HEADS, HEADS, HIDDEN // HEADS, rotate_halves, "stacked")
    write("baichuan", randomise(model, 61), published("baichuan", num_attention_heads=HEADS, max_position_embeddings=64), renaming(**LLAMA_NAMES), REFERENCE_TARGETS)


def make_baichuan2():
    """The 13B kind at once: ALiBi over a number of heads that is no power of two, and the normalised head."""
    model = Reference(6, 6, 4, lambda x: x, "stacked", slopes=alibi_slopes(6), unit_rows=True)
    configuration = published("baichuan", num_attention_heads=6, head_dim=4, model_max_length=64, z_loss_weight=0)
    write("baichuan2", randomise(model, 32), configuration, renaming(**LLAMA_NAMES), REFERENCE_TARGETS)


def make_internlm2():
    model = Reference(HEADS, 2, DIMENSION, rotate_halves, "grouped")
    layer = "model.layers.#."
    rename = renaming(
        embedding="model.tok_embeddings", attention_norm=layer + "attention_norm", qkv=layer + "attention.wqkv",
        output=layer + "attention.wo", feed_norm=layer + "ffn_norm", gate=layer + "feed_forward.w1", up=layer + "feed_forward.w3",
        down=layer + "feed_forward.w2", norm="model.norm", head="output")
    configuration = published(
        "internlm2", num_attention_heads=HEADS, num_key_value_heads=2, head_dim=DIMENSION, bias=False, max_position_embeddings=64)
    write("internlm2", randomise(model, 33), configuration, rename, REFERENCE_TARGETS)


def make_chatglm():
    model = Reference(HEADS, 2, DIMENSION, rotate_half_of_pairs, "stacked", has_bias=True, fused_gate=True)
    layer = "transformer.encoder.layers.#."
    rename = renaming(
        embedding="transformer.embedding.word_embeddings", attention_norm=layer + "input_layernorm",
        qkv=layer + "self_attention.query_key_value", output=layer + "self_attention.dense", feed_norm=layer + "post_attention_layernorm",
        gate_up=layer + "mlp.dense_h_to_4h", down=layer + "mlp.dense_4h_to_h", norm="transformer.encoder.final_layernorm",
        head="transformer.output_layer")
    configuration = {
        "model_type": "chatglm", "padded_vocab_size": VOCABULARY, "hidden_size": HIDDEN, "ffn_hidden_size": INNER, "num_layers": 2,
        "num_attention_heads": HEADS, "kv_channels": DIMENSION, "multi_query_attention": True, "multi_query_group_num": 2,
        "add_qkv_bias": True, "add_bias_linear": False, "rmsnorm": True, "post_layer_norm": True, "layernorm_epsilon": 1e-5,
        "seq_length": 64, "torch_dtype": "bfloat16", "tie_word_embeddings": False, "eos_token_id": 1}
    write("chatglm", randomise(model, 34), configuration, rename, ["qkv", "output", "gate_up", "down"])


def make_internlm3():
    """What InternLM3 computes is a Llama with all its biases on; its configuration has other names for them."""
    configuration = transformers.LlamaConfig(**COMMON, head_dim=DIMENSION, attention_bias=True, mlp_bias=True, rope_parameters=PLAIN_ROPE)
    configuration._attn_implementation = "eager"
    settings = published(
        "internlm3", num_attention_heads=HEADS, num_key_value_heads=2, head_dim=DIMENSION, qkv_bias=True, bias=True,
        max_position_embeddings=64, rope_theta=10000.0)
    settings["rms_norm_eps"] = configuration.rms_norm_eps
    model = randomise(transformers.LlamaForCausalLM(configuration), 35)
    write("internlm3", model, settings, targets=ALL)


def mixtral_names(name):
    """transformers 5's names for a Mixtral's parts, as its checkpoints have them."""
    for kind, short in [("gate_proj", "w1"), ("down_proj", "w2"), ("up_proj", "w3")]:
        if ".experts." in name:
            name = name.replace(kind, short)
    return name.replace(".mlp.", ".block_sparse_moe.")


MIXTURES = ["mixtral", "qwen2_moe", "qwen3_moe"]
FAMILIES = {
    "llama": lambda: from_transformers(
        "llama", "Llama", 36, ALL, **COMMON, head_dim=DIMENSION, attention_bias=True, mlp_bias=True, rope_parameters={
            "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16}),
    "mistral": lambda: from_transformers(
        "mistral", "Mistral", 37, ALL, **COMMON, head_dim=DIMENSION, sliding_window=5, rope_parameters=PLAIN_ROPE),
    "qwen2": lambda: from_transformers(
        "qwen2", "Qwen2", 38, ALL, **COMMON, use_sliding_window=True, sliding_window=5, max_window_layers=1, rope_parameters=PLAIN_ROPE),
    "internlm3": make_internlm3,
    "starcoder2": lambda: from_transformers(
        "starcoder2", "Starcoder2", 45, [*ATTENTION, "c_fc", "c_proj"], **COMMON, sliding_window=5, residual_dropout=0.0,
        embedding_dropout=0.0, rope_parameters=PLAIN_ROPE),
    "mixtral": lambda: from_transformers(
        "mixtral", "Mixtral", 76, ATTENTION, mixtral_names, **{**COMMON, "intermediate_size": 8}, head_dim=DIMENSION, num_local_experts=4,
        num_experts_per_tok=2, sliding_window=7, rope_parameters=PLAIN_ROPE),
    "qwen2_moe": lambda: from_transformers(
        "qwen2_moe", "Qwen2Moe", 115, [*ATTENTION, "shared_expert.gate_proj", "shared_expert.down_proj", "shared_expert_gate"],
        **{**COMMON, "num_hidden_layers": 3}, moe_intermediate_size=8, shared_expert_intermediate_size=12, num_experts=4,
        num_experts_per_tok=2, norm_topk_prob=False, mlp_only_layers=[1], rope_parameters=PLAIN_ROPE),
    "qwen3_moe": lambda: from_transformers(
        "qwen3_moe", "Qwen3Moe", 43, ATTENTION, **{**COMMON, "num_hidden_layers": 4}, head_dim=DIMENSION, moe_intermediate_size=8,
        num_experts=5, num_experts_per_tok=2, norm_topk_prob=True, decoder_sparse_step=2, rope_parameters=PLAIN_ROPE),
    "qwen3": lambda: from_transformers(
        "qwen3", "Qwen3", 21, ALL, **COMMON, head_dim=DIMENSION, tie_word_embeddings=True, rope_parameters=PLAIN_ROPE),
    "gemma": lambda: from_transformers("gemma", "Gemma", 22, ALL, **COMMON, head_dim=DIMENSION, rope_parameters=PLAIN_ROPE),
    "gemma2": lambda: from_transformers(
        "gemma2", "Gemma2", 23, ALL, **COMMON, head_dim=DIMENSION, query_pre_attn_scalar=12, attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0, sliding_window=5, rope_parameters=PLAIN_ROPE),
    "gemma3": lambda: from_transformers(
        "gemma3", "Gemma3Text", 86, ALL, **{**COMMON, "num_hidden_layers": 3}, head_dim=DIMENSION, query_pre_attn_scalar=12, sliding_window=5,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters={
            "sliding_attention": PLAIN_ROPE, "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1000000.0}}),
    "phi3": lambda: from_transformers(
        "phi3", "Phi3", 25, ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], **{**COMMON, "hidden_size": 24, "num_attention_heads": 2},
        original_max_position_embeddings=10,
        rope_parameters={
            "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "original_max_position_embeddings": 10,
            "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.5, 2.5, 4.0]}),
    "glm": lambda: from_transformers(
        "glm", "Glm", 26, [*ATTENTION, "gate_up_proj", "down_proj"], **COMMON, head_dim=DIMENSION, attention_bias=True,
        rope_parameters={**PLAIN_ROPE, "partial_rotary_factor": 0.5}),
    "glm4": lambda: from_transformers(
        "glm4", "Glm4", 27, [*ATTENTION, "gate_up_proj", "down_proj"], **COMMON, head_dim=DIMENSION, attention_bias=True,
        rope_parameters={**PLAIN_ROPE, "partial_rotary_factor": 0.5}),
    "gpt2": lambda: from_transformers(
        "gpt2", "GPT2", 28, ["c_attn", "c_proj", "c_fc"], vocab_size=VOCABULARY, n_embd=HIDDEN, n_layer=2, n_head=2, n_positions=64, n_inner=INNER,
        attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, bos_token_id=0, eos_token_id=1),
    "bloom": lambda: from_transformers(
        "bloom", "Bloom", 29, ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"], vocab_size=VOCABULARY, hidden_size=12, n_layer=2, n_head=6, attention_dropout=0.0, hidden_dropout=0.0,
        bos_token_id=0, eos_token_id=1, pad_token_id=2),
    "baichuan": make_baichuan,
    "baichuan2": make_baichuan2,
    "internlm2": make_internlm2,
    "chatglm": make_chatglm,
}


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FAMILIES:
        FAMILIES[name]()


if __name__ == "__main__":
    main()
