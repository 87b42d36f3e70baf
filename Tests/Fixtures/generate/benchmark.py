"""Small multiple-choice benchmarks in the three layouts of LLaMA-Factory's evaluation folder, and what its evaluator answers.

    LLAMAFACTORY=.../llamafactory python Tests/Fixtures/generate/benchmark.py

torch 2.13 (CPU), transformers 5.6.0, LLaMA-Factory 0.9.5, whose prompts are read from eval/template.py. The model is that of
Tests/Fixtures/training/qwen2 with a chat template that stands in expected.json. Writes Tests/Fixtures/evaluation/benchmark. Each subject has one example, so
that nothing depends on how examples are drawn.
"""

import ast
import csv
import json
import os
import random
from dataclasses import dataclass
from enum import Enum

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

here = os.path.dirname(os.path.abspath(__file__))
target = os.path.join(here, "..", "evaluation", "benchmark")
model_folder = os.path.join(here, "..", "training", "qwen2")

source = open(os.path.join(os.environ["LLAMAFACTORY"], "eval", "template.py"), encoding="utf-8").read()


class Role(str, Enum):
    USER = "user"
    ASSISTANT = "assistant"


space = {"dataclass": dataclass, "Role": Role, "CHOICES": ["A", "B", "C", "D"]}
body = [node for node in ast.parse(source).body if not isinstance(node, (ast.Import, ast.ImportFrom))]
exec(compile(ast.Module(body, []), "template", "exec"), space)

draw = random.Random(3)
WORDS = {"en": ["what", "is", "two, and", "three", "the \"sum\"", "of", "a cell", "made"], "zh": ["什么", "是", "细胞", "的", "组成", "，", "请选择"]}


def rows(language, count):
    def text():
        return (" " if language == "en" else "").join(draw.choice(WORDS[language]) for _ in range(draw.randint(2, 6)))

    return [{"question": text() + "?", "A": text(), "B": text(), "C": text(), "D": text(), "answer": draw.choice("ABCD")} for _ in range(count)]


def write(path, header, records):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(header)
        writer.writerows(records)


SUBJECTS = {
    "mmlu": {"anatomy": ("anatomy", "Other"), "college_physics": ("college physics", "STEM")},
    "ceval": {"physician": ("医师资格", "Other"), "logic": ("逻辑学", "Humanities")},
    "cmmlu": {"agronomy": ("农学", "Other"), "ethnology": ("民族学", "Social Sciences")},
}
KEYS = ["question", "A", "B", "C", "D", "answer"]
TEMPLATE = ("{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
            "{% if add_generation_prompt %}assistant: {% endif %}")
tokenizer = AutoTokenizer.from_pretrained(model_folder)
tokenizer.chat_template = TEMPLATE
model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
choices = [tokenizer.encode(letter, add_special_tokens=False)[-1] for letter in "ABCD"]
expected = []
data = {}
for task, subjects in SUBJECTS.items():
    language = "en" if task == "mmlu" else "zh"
    folder = os.path.join(target, task)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "mapping.json"), "w", encoding="utf-8") as file:
        json.dump({key: {"name": name, "category": category} for key, (name, category) in subjects.items()}, file, ensure_ascii=False, indent=2)
    for subject in subjects:
        parts = {"dev": rows(language, 1), "val": rows(language, 4), "test": rows(language, 6)}
        data[task, subject] = parts
        for part, records in parts.items():
            if task == "mmlu":
                write(os.path.join(folder, "data", part, f"{subject}_{part}.csv"), None, [[row[key] for key in KEYS] for row in records])
            elif task == "ceval":
                header = ["id"] + KEYS + ["explanation"]
                write(os.path.join(folder, part, f"{subject}_{part}.csv"), header, [[i] + [row[key] for key in KEYS] + [""] for i, row in enumerate(records)])
            elif part != "val":
                header = ["", "Question", "A", "B", "C", "D", "Answer"]
                write(os.path.join(folder, part, f"{subject}.csv"), header, [[i] + [row[key] for key in KEYS] for i, row in enumerate(records)])
for task, part, shots in [("mmlu", "test", 0), ("mmlu", "test", 1), ("mmlu", "validation", 1), ("ceval", "validation", 1), ("cmmlu", "test", 1)]:
    language = "en" if task == "mmlu" else "zh"
    template = space["get_eval_template"](language)
    answers, right = {}, {"Average": []}
    for subject, (name, category) in SUBJECTS[task].items():
        answers[subject] = {}
        for index, row in enumerate(data[task, subject][{"test": "test", "validation": "val"}[part]]):
            messages = template.format_example(row, data[task, subject]["dev"][:shots], name)
            ids = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, -1, choices]
            letter = "ABCD"[int(logits.argmax())]
            answers[subject][str(index)] = letter
            for key in ("Average", category):
                right.setdefault(key, []).append(letter == row["answer"])
    accuracy = {key: sum(found) / len(found) for key, found in right.items()}
    expected.append({"task": f"{task}_{part}", "lang": language, "n_shot": shots, "answers": answers, "accuracy": accuracy})
with open(os.path.join(target, "expected.json"), "w", encoding="utf-8") as file:
    json.dump({"chat_template": TEMPLATE, "runs": expected}, file, ensure_ascii=False, indent=1)
print(expected)
