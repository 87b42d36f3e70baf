"""Makes Tests/Fixtures/models: tiny random models and adapters with the numbers that transformers and peft give for them.

Run from the root of the repository, with torch 2.13 (CPU), transformers 5.6.0, peft 0.18.1, safetensors and tokenizers 0.22.2:

    python Tests/Fixtures/generate/models.py

Everything is seeded, so a second run writes the same numbers.
"""

import json
import shutil
from pathlib import Path

import torch
from curves import ten_steps
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessorList,
    MinPLogitsWarper,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

ROOT = Path(__file__).resolve().parent.parent / "models"
VOCABULARY = 48
BOS, EOS, PAD = 0, 1, 2

# Two sequences of different lengths; the first has a prompt without loss, and both are packed into one batch by the test.
SEQUENCES = [
    [0, 5, 17, 9, 33, 21, 8, 46, 12, 3, 40, 27, 19],
    [0, 31, 4, 4, 25, 38, 11],
]
LABELS = [
    [-100, -100, -100, -100, 33, 21, 8, 46, 12, 3, 40, 27, 1],
    [-100, 31, 4, -100, 25, 38, 11],
]
PROMPT = [0, 14, 7, 29, 42]

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def randomise(model, seed):
    """Weights large enough that every path shows in the logits, and norms and biases that are not the identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        with torch.no_grad():
            if "norm" in name:
                parameter.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(0.2 * noise)
    return model.eval()


def llama_config(**changes):
    values = dict(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=36, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, rope_parameters=LLAMA3_ROPE,
    )
    values.update(changes)
    return LlamaConfig(**values)


def logits_of(model, sequences=SEQUENCES):
    with torch.no_grad():
        return torch.cat([model(torch.tensor([tokens])).logits[0].float() for tokens in sequences])


def loss_of(model):
    """Cross-entropy summed over both sequences and divided by the number of tokens with loss: what a packed batch must give."""
    total, count = 0.0, 0
    for tokens, labels in zip(SEQUENCES, LABELS):
        logits = model(torch.tensor([tokens])).logits[0]
        targets = torch.tensor(labels)
        total = total + torch.nn.functional.cross_entropy(logits[:-1], targets[1:], ignore_index=-100, reduction="sum")
        count += int((targets[1:] != -100).sum())
    return total / count


def gradients_of(model, rename=lambda name: name):
    model.zero_grad()
    loss = loss_of(model)
    loss.backward()
    gradients = {
        "gradient." + rename(name): parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is not None
    }
    return loss.item(), gradients


def adapter_name(name):
    return name.replace(".default", "")


def adapter(base, directory, seed, **settings):
    """A PEFT adapter whose B is not zero, saved as PEFT saves it."""
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", bias="none", **settings))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            with torch.no_grad():
                parameter.copy_(0.15 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(directory)
    (directory / "README.md").unlink(missing_ok=True)
    configuration = json.loads((directory / "adapter_config.json").read_text())
    configuration["base_model_name_or_path"] = "tiny-random-llama"
    configuration["target_modules"] = sorted(configuration["target_modules"])
    (directory / "adapter_config.json").write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n")
    return model.eval()


def greedy(model, **settings):
    with torch.no_grad():
        output = model.generate(
            torch.tensor([PROMPT]), attention_mask=torch.ones(1, len(PROMPT), dtype=torch.long), max_new_tokens=32, do_sample=False,
            eos_token_id=settings.pop("eos_token_id", None), pad_token_id=PAD, **settings)
    return output


def write_tokenizer(directory):
    """One token per character; enough for an export to have a tokenizer and a template."""
    characters = list("abcdefghijklmnopqrstuvwxyz") + ["Ġ", "Ċ", ".", ",", "?", "!", "'", "-", ":", "0", "1", "2", "3"]
    pieces = ["<s>", "</s>", "<pad>", "<user>", "<bot>"] + characters
    tokenizer = Tokenizer(models.BPE({piece: index for index, piece in enumerate(pieces)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece in pieces[:5]])
    tokenizer.save(str(directory / "tokenizer.json"), pretty=False)
    template = (
        "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '<user>' + message['content'] }}"
        "{% else %}{{ '<bot>' + message['content'] + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<bot>' }}{% endif %}")
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
        "model_max_length": 64, "chat_template": template,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(configuration, indent=2) + "\n")


def tensors(path, values):
    save_file({name: value.contiguous().clone() for name, value in values.items()}, str(path))


def make_llama():
    directory = ROOT / "llama"
    model = randomise(LlamaForCausalLM(llama_config()), 1)
    model.save_pretrained(directory, max_shard_size="30KB")
    write_tokenizer(directory)
    logits = logits_of(model)
    loss, gradients = gradients_of(model)
    expected = {"loss": loss, "greedy": greedy(model)[0, len(PROMPT):].tolist()}
    frequent = max(set(expected["greedy"]), key=expected["greedy"].count)
    beams = []
    for count, penalty, stop in [(3, 1.0, None), (4, 0.5, [frequent, 7]), (2, 2.0, [11])]:
        output = greedy(
            model, num_beams=count, num_return_sequences=1, length_penalty=penalty, eos_token_id=stop, output_scores=True,
            return_dict_in_generate=True)
        tokens = output.sequences[0, len(PROMPT):].tolist()
        if stop is not None:
            ends = [index for index, token in enumerate(tokens) if token in stop]
            tokens = tokens[: ends[0] + 1] if ends else tokens
        beams.append({"beams": count, "lengthPenalty": penalty, "stop": stop or [], "tokens": tokens, "score": output.sequences_scores[0].item()})
    expected["beams"] = beams
    expected["repetitionPenalty"] = {"penalty": 1.3, "tokens": greedy(model, repetition_penalty=1.3)[0, len(PROMPT):].tolist()}

    # A plain .to(bfloat16) would round the rotary frequencies too; loading in a type does not.
    native = logits_of(LlamaForCausalLM.from_pretrained(directory, dtype=torch.bfloat16))
    rounded = LlamaForCausalLM(llama_config()).eval()
    rounded.load_state_dict({name: value.to(torch.bfloat16).float() for name, value in model.state_dict().items()})
    widened = logits_of(rounded)
    tensors(ROOT / "llama-expected.safetensors", {"logits": logits, "logits.bfloat16": native, "logits.widened": widened, **gradients})

    variants = {}
    rope = lambda **values: {"rope_theta": 10000.0, **values}
    for name, parameters in {
        "default": rope(rope_type="default"),
        "linear": rope(rope_type="linear", factor=2.5),
        "dynamic": rope(rope_type="dynamic", factor=2.0),
        "yarn": rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
    }.items():
        variant = LlamaForCausalLM(llama_config(rope_parameters=parameters, max_position_embeddings=10 if name == "dynamic" else 64))
        variant.load_state_dict(model.state_dict())
        variants[name] = logits_of(variant.eval(), SEQUENCES[:1])
    sliding = MistralForCausalLM(MistralConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=36, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, rms_norm_eps=1e-5, sliding_window=5, rope_parameters=rope(rope_type="default"),
        attn_implementation="eager"))
    sliding.load_state_dict(model.state_dict())
    variants["mistral"] = logits_of(sliding.eval(), SEQUENCES[:1])
    tensors(ROOT / "llama-variants.safetensors", variants)
    return expected


def make_llama_adapters(expected):
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    base = LlamaForCausalLM.from_pretrained(ROOT / "llama")
    model = adapter(base, ROOT / "llama-adapter", 11, r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets)
    values = {"logits": logits_of(model)}
    expected["adapterLoss"], gradients = gradients_of(model, adapter_name)
    values.update(gradients)
    expected["adapterGreedy"] = greedy(model)[0, len(PROMPT):].tolist()
    expected["adapterLosses"] = ten_steps(model, loss_of)

    base = LlamaForCausalLM.from_pretrained(ROOT / "llama")
    adapter(
        base, ROOT / "llama-adapter-second", 12, r=2, lora_alpha=8, lora_dropout=0.1, use_rslora=True, target_modules=["q_proj", "v_proj", "down_proj"],
        rank_pattern={"layers.1.self_attn.q_proj": 3}, alpha_pattern={"layers.0.mlp.down_proj": 5})
    base = LlamaForCausalLM.from_pretrained(ROOT / "llama")
    values["logits.second"] = logits_of(PeftModel.from_pretrained(base, ROOT / "llama-adapter-second").eval())
    base = LlamaForCausalLM.from_pretrained(ROOT / "llama")
    merged = PeftModel.from_pretrained(base, ROOT / "llama-adapter").merge_and_unload()
    values["logits.stacked"] = logits_of(PeftModel.from_pretrained(merged, ROOT / "llama-adapter-second").merge_and_unload().eval())
    tensors(ROOT / "llama-adapter-expected.safetensors", values)


def make_qwen2():
    directory = ROOT / "qwen2"
    model = randomise(Qwen2ForCausalLM(Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=36, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, rms_norm_eps=1e-6, tie_word_embeddings=True, bos_token_id=BOS, eos_token_id=EOS,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})), 2).to(torch.bfloat16)
    model.save_pretrained(directory)
    # The older spelling, as every published Qwen2.5 checkpoint has it.
    configuration = json.loads((directory / "config.json").read_text())
    configuration["rope_theta"] = configuration.pop("rope_parameters")["rope_theta"]
    configuration["torch_dtype"] = configuration.pop("dtype")
    configuration.pop("layer_types", None)
    (directory / "config.json").write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n")

    native = logits_of(AutoModelForCausalLM.from_pretrained(directory, dtype=torch.bfloat16))
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    loss, gradients = gradients_of(model)
    expected = {"loss": loss, "greedy": greedy(model)[0, len(PROMPT):].tolist()}
    tensors(ROOT / "qwen2-expected.safetensors", {"logits": logits_of(model), "logits.bfloat16": native, **gradients})
    expected["losses"] = ten_steps(model, loss_of, learning_rate=1e-3)
    return expected


def make_samplers():
    """Scores after each chain of processors, in the order in which generate() puts them."""
    generator = torch.Generator().manual_seed(5)
    scores = 3 * torch.randn(1, 64, generator=generator)
    history = torch.tensor([[3, 17, 17, 40, 9]])
    cases = []
    for penalty, temperature, top_k, top_p, min_p in [
        (1.0, 0.7, 0, 1.0, 0.0), (1.0, 1.0, 5, 1.0, 0.0), (1.0, 1.0, 0, 0.7, 0.0), (1.0, 1.0, 0, 1.0, 0.08),
        (1.2, 0.95, 50, 0.7, 0.0), (1.5, 1.8, 12, 0.9, 0.05), (0.8, 0.4, 0, 0.3, 0.0), (1.0, 2.5, 0, 0.999, 0.0), (1.0, 1.0, 0, 1e-9, 0.0),
    ]:
        chain = LogitsProcessorList()
        if penalty != 1.0:
            chain.append(RepetitionPenaltyLogitsProcessor(penalty))
        if temperature != 1.0:
            chain.append(TemperatureLogitsWarper(temperature))
        if top_k != 0:
            chain.append(TopKLogitsWarper(top_k))
        if top_p < 1.0:
            chain.append(TopPLogitsWarper(top_p))
        if min_p > 0:
            chain.append(MinPLogitsWarper(min_p))
        probabilities = torch.softmax(chain(history, scores.clone()), -1)[0]
        kept = probabilities.nonzero()[:, 0].tolist()
        cases.append({
            "repetitionPenalty": penalty, "temperature": temperature, "topK": top_k, "topP": top_p, "minP": min_p,
            "tokens": kept, "probabilities": [round(probabilities[index].item(), 8) for index in kept]})
    return {"scores": [round(value, 6) for value in scores[0].tolist()], "history": history[0].tolist(), "cases": cases}


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    llama = make_llama()
    make_llama_adapters(llama)
    qwen2 = make_qwen2()
    expected = {"sequences": SEQUENCES, "labels": LABELS, "prompt": PROMPT, "llama": llama, "qwen2": qwen2}
    (ROOT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    (ROOT / "samplers.json").write_text(json.dumps(make_samplers()) + "\n")


if __name__ == "__main__":
    main()
