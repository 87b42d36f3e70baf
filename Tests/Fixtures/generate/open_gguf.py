"""Opens GGUF files that Tuneboard wrote with llama.cpp and compares tokens, logits and greedy answers.

    python Tests/Fixtures/generate/open_gguf.py EXPECTED.json LOGITS.safetensors (MODEL.gguf ADAPTER.gguf-or-"" TOLERANCE)...

Exits with 1 and says what differs. Keys and values are kept in f32, as Tuneboard's tests keep them.
"""

import json
import sys

import numpy as np
from llama_cpp import Llama
from safetensors.numpy import load_file

expected = json.load(open(sys.argv[1]))
logits = load_file(sys.argv[2])["logits"]
failed = []
for path, adapter, tolerance in zip(*[iter(sys.argv[3:])] * 3):
    model = Llama(
        path, n_ctx=256, n_batch=256, n_ubatch=256, logits_all=True, verbose=False, type_k=0, type_v=0, n_threads=2, flash_attn=False,
        swa_full=True, lora_path=adapter or None)
    for case in expected["texts"]:
        text = case["text"].encode()
        for name, add in (("tokens", False), ("special", True)):
            found = model.tokenize(text, add_bos=add, special=True)
            if found != case[name]:
                failed.append(f"{path}: {name} of {case['text']!r}: llama.cpp {found}, ours {case[name]}")
    prompt = expected["prompt"]
    model.reset()
    model.eval(prompt)
    found = np.array(model.scores[: len(prompt)])
    difference = np.abs(found - logits).max() / np.abs(logits).max()
    print(f"{path}: largest difference {difference:.3g} of the scale, tolerance {tolerance}")
    if not difference < float(tolerance):
        failed.append(f"{path}: logits differ by {difference:.3g} of their scale")
    answer = []
    row = found[-1]
    for _ in expected["greedy"]:
        answer.append(int(row.argmax()))
        model.eval([answer[-1]])
        row = np.array(model.scores[len(prompt) + len(answer) - 1])
    if answer != expected["greedy"]:
        same = next((i for i, (a, b) in enumerate(zip(answer, expected["greedy"])) if a != b), len(answer))
        failed.append(f"{path}: greedy answers part after {same} tokens: llama.cpp {answer}, ours {expected['greedy']}")
for line in failed:
    print(line)
sys.exit(1 if failed else 0)
