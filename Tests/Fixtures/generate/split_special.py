"""Ids of the strings of tokenizer_cases.py where special tokens are split like other text (encode_special_tokens).

tokenizers 0.22.2. Usage: python split_special.py
Reads and writes Tests/Fixtures/tokenizers: split.json is {kind: [[index of the string, ids], ...]}, of the strings that it changes.
"""
import json
import os

from tokenizers import Tokenizer

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tokenizers")
strings = json.load(open(os.path.join(folder, "strings.json"), encoding="utf-8"))
found = {}
for kind in sorted(os.listdir(folder)):
    path = os.path.join(folder, kind, "tokenizer.json")
    if not os.path.exists(path) or not os.path.exists(os.path.join(folder, kind, "cases.json")):
        continue
    plain, split = Tokenizer.from_file(path), Tokenizer.from_file(path)
    split.encode_special_tokens = True
    found[kind] = []
    for index, text in enumerate(strings):
        ids = split.encode(text, add_special_tokens=False).ids
        if ids != plain.encode(text, add_special_tokens=False).ids:
            found[kind].append([index, ids])
with open(os.path.join(folder, "split.json"), "w", encoding="utf-8") as file:
    json.dump(found, file, separators=(",", ":"))
print({kind: len(cases) for kind, cases in found.items()})
