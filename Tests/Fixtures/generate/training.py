"""What transformers' own Trainer, peft's LoRA and torch's AdamW do on tiny random models: the numbers our training must repeat.

    python Tests/Fixtures/generate/training.py

torch 2.13 (CPU), transformers 5.6.0, peft 0.18.1. Writes Tests/Fixtures/training: schedules.json, adamw.json, and one folder per
model with its weights, the adapter that LoRA starts from, the samples, and the log histories of four runs.
"""

import json
import os
import shutil
import tempfile

import numpy
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch.utils.data import SequentialSampler
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Trainer, TrainingArguments
from transformers import get_scheduler
from transformers.utils import logging

logging.set_verbosity_error()
here = os.path.dirname(os.path.abspath(__file__))
target = os.path.join(here, "..", "training")
os.makedirs(target, exist_ok=True)
torch.set_num_threads(1)
VOCABULARY = 96


def write(path, value):
    with open(os.path.join(target, path), "w", encoding="utf-8") as file:
        json.dump(value, file, separators=(",", ":"))


# Schedules: every name of get_scheduler that depends on nothing but the step.
CASES = [
    ("linear", 5e-5, 3, 20, {}), ("linear", 5e-5, 0, 7, {}), ("cosine", 1e-4, 2, 20, {}), ("cosine", 1e-4, 2, 20, {"num_cycles": 1.5}),
    ("cosine_with_restarts", 1e-3, 4, 24, {"num_cycles": 3}), ("cosine_with_restarts", 1e-3, 0, 10, {}),
    ("polynomial", 1e-4, 3, 15, {}), ("polynomial", 1e-4, 3, 15, {"lr_end": 1e-6, "power": 2.0}), ("constant", 2e-5, 5, 10, {}),
    ("constant_with_warmup", 2e-5, 4, 10, {}), ("inverse_sqrt", 1e-3, 5, 25, {}), ("inverse_sqrt", 1e-3, 0, 12, {}),
    ("inverse_sqrt", 1e-3, 3, 12, {"timescale": 50}), ("cosine_with_min_lr", 1e-4, 3, 20, {"min_lr": 1e-5}),
    ("cosine_with_min_lr", 1e-4, 3, 20, {"min_lr_rate": 0.2, "num_cycles": 0.5}),
    ("cosine_warmup_with_min_lr", 1e-4, 4, 20, {"min_lr_rate": 0.1}),
    ("cosine_warmup_with_min_lr", 1e-4, 4, 20, {"min_lr": 1e-5, "warmup_lr_rate": 0.05}),
    ("warmup_stable_decay", 1e-3, 3, 20, {"num_decay_steps": 6}),
    ("warmup_stable_decay", 1e-3, 3, 20, {"num_decay_steps": 8, "warmup_type": "cosine", "decay_type": "1-sqrt", "min_lr_ratio": 0.1}),
    ("warmup_stable_decay", 1e-3, 4, 20, {"num_decay_steps": 5, "num_stable_steps": 6, "warmup_type": "1-sqrt", "decay_type": "linear"}),
]
schedules = []
for name, rate, warmup, total, keywords in CASES:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = get_scheduler(name, optimizer, warmup, total, keywords)
    rates = []
    for _ in range(total + 2):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    schedules.append({"name": name, "rate": rate, "warmup": warmup, "total": total, "keywords": keywords, "rates": rates})
write("schedules.json", schedules)

# AdamW: twenty steps on a fixed problem, one tensor with decay and one without.
generator = torch.Generator().manual_seed(3)
weights = [torch.nn.Parameter(torch.randn(37, generator=generator)), torch.nn.Parameter(torch.randn(11, generator=generator))]
start = [weight.detach().tolist() for weight in weights]
optimizer = torch.optim.AdamW(
    [{"params": [weights[0]], "weight_decay": 0.1}, {"params": [weights[1]], "weight_decay": 0.0}], lr=0.01, betas=(0.9, 0.98), eps=1e-7)
gradients, ends = [], []
for _ in range(20):
    gradients.append([])
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator)
        gradients[-1].append(weight.grad.tolist())
    optimizer.step()
    ends.append([weight.detach().tolist() for weight in weights])
write("adamw.json", {"start": start, "gradients": gradients, "end": ends[-1], "middle": ends[9]})

LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
SHAPE = dict(vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=0, eos_token_id=1, pad_token_id=2)


def randomised(model, seed):
    """Weights large enough that the loss moves within ten steps."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.1 * noise if "norm" in name else 0.25 * noise)
    return model


def samples(seed, count):
    """Prompts without loss and answers with it, of many lengths."""
    generator = numpy.random.default_rng(seed)
    rows = []
    for _ in range(count):
        prompt = [0] + generator.integers(3, VOCABULARY, generator.integers(2, 9)).tolist()
        answer = generator.integers(3, 20, generator.integers(2, 12)).tolist() + [1]
        rows.append({"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer})
    return rows


def every_label(rows):
    return [{"input_ids": row["input_ids"], "labels": row["input_ids"]} for row in rows]


def collate(rows):
    longest = max(len(row["input_ids"]) for row in rows)
    padded = lambda values, filler: torch.tensor([value + [filler] * (longest - len(value)) for value in values])
    return {
        "input_ids": padded([row["input_ids"] for row in rows], 2), "labels": padded([row["labels"] for row in rows], -100),
        "attention_mask": padded([[1] * len(row["input_ids"]) for row in rows], 0),
    }


def write_tokenizer(path):
    """One token per printable ASCII character, so that any English text can be told in 96 tokens."""
    characters = ["\u0120"] + [chr(code) for code in range(ord("!"), ord("|") + 1)]
    tokenizer = Tokenizer(models.BPE(vocab={character: 3 + index for index, character in enumerate(characters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in ("<s>", "</s>", "<pad>")])
    text = json.loads(tokenizer.to_str())
    for token, index in (("<s>", 0), ("</s>", 1), ("<pad>", 2)):
        text["model"]["vocab"][token] = index
    for index, token in enumerate(text["added_tokens"]):
        token["id"] = index
    with open(os.path.join(path, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(text, file, ensure_ascii=False, separators=(",", ":"))
    with open(os.path.join(path, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
                   "model_max_length": 64}, file, indent=1)


class InOrder(Trainer):
    def _get_train_sampler(self, *arguments, **keywords):
        return SequentialSampler(self.train_dataset)


def accuracy(evaluation):
    scores = []
    for prediction, label in zip(evaluation.predictions, evaluation.label_ids):
        mask = label[1:] != -100
        scores.append(numpy.mean(prediction[:-1][mask] == label[1:][mask]))
    return {"accuracy": float(numpy.mean(scores))}


RUNS = {
    "lora": dict(learning_rate=1e-2, lr_scheduler_type="cosine", warmup_steps=2, max_grad_norm=0.5, weight_decay=0.0),
    "lora_decay": dict(learning_rate=5e-3, lr_scheduler_type="linear", warmup_steps=0, max_grad_norm=1.0, weight_decay=0.1),
    "full": dict(learning_rate=3e-3, lr_scheduler_type="cosine", warmup_steps=2, max_grad_norm=0.5, weight_decay=0.1),
    "full_constant": dict(learning_rate=1e-3, lr_scheduler_type="constant", max_grad_norm=0.0, weight_decay=0.0),
    # Every token is a label, the first of each sample too.
    "full_pretraining": dict(learning_rate=1e-3, lr_scheduler_type="linear", max_grad_norm=1.0),
    # The Trainer smooths per micro-batch, so without accumulation.
    "lora_smoothing": dict(learning_rate=5e-3, lr_scheduler_type="linear", label_smoothing_factor=0.1, gradient_accumulation_steps=1, num_train_epochs=1),
}

train, evaluation = samples(11, 18), samples(12, 5)
for folder, kind, config in (
    ("llama", LlamaForCausalLM, LlamaConfig(**SHAPE, rope_parameters=LLAMA3)),
    ("qwen2", Qwen2ForCausalLM, Qwen2Config(**SHAPE, tie_word_embeddings=True)),
):
    path = os.path.join(target, folder)
    shutil.rmtree(path, ignore_errors=True)
    randomised(kind(config), 5).save_pretrained(path)
    write_tokenizer(path)
    adapted = get_peft_model(kind.from_pretrained(path, dtype=torch.float32), LoraConfig(
        r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM", base_model_name_or_path="base"))
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    adapted.peft_config["default"].base_model_name_or_path = "base"
    adapted.save_pretrained(os.path.join(path, "adapter"))
    os.remove(os.path.join(path, "adapter", "README.md"))
    with open(os.path.join(path, "adapter", "adapter_config.json"), encoding="utf-8") as file:
        settings = json.load(file)
    settings["target_modules"].sort()
    write(f"{folder}/adapter/adapter_config.json", settings)
    histories = {}
    for name, settings in RUNS.items():
        model = kind.from_pretrained(path, dtype=torch.float32)
        if name.startswith("lora"):
            model = PeftModel.from_pretrained(model, os.path.join(path, "adapter"), is_trainable=True)
        with tempfile.TemporaryDirectory() as output:
            trainer = InOrder(
                model=model, train_dataset=every_label(train) if name == "full_pretraining" else train, eval_dataset=evaluation, data_collator=collate, compute_metrics=accuracy,
                preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(dim=-1),
                args=TrainingArguments(
                    output_dir=output, per_device_train_batch_size=2, per_device_eval_batch_size=2, logging_steps=1,
                    eval_strategy="steps", eval_steps=5, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True, seed=1,
                    remove_unused_columns=False, label_names=["labels"], dataloader_num_workers=0,
                    **{"gradient_accumulation_steps": 2, "num_train_epochs": 2, **settings}))
            trainer.train()
        keep = ("loss", "grad_norm", "learning_rate", "epoch", "step", "eval_loss", "eval_accuracy", "train_loss", "total_flos")
        histories[name] = [{key: entry[key] for key in keep if key in entry} for entry in trainer.state.log_history]
    write(f"{folder}/runs.json", {"settings": RUNS, "train": train, "evaluation": evaluation, "histories": histories})
