"""What Hugging Face's BpeTrainer learns from a small corpus. Usage: python tokenizer_trainer.py OUTPUT_FOLDER"""
import json
import os
import random
import sys
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
generator = random.Random(3)
words = ("alpha beta gamma delta epsilon banana bandana papaya aaaa aaaaa abab ababab 12 123 one two three four five six seven "
         "你好 世界 你们好 世界杯 天天 über straße café e\u0301clair don't we'll").split()
corpus = "\n".join(" ".join(generator.choice(words) for _ in range(generator.randint(2, 12))) + generator.choice([".", "!", "…", ""])
                   for _ in range(250))
with open(os.path.join(out, "corpus.txt"), "w") as f:
    f.write(corpus)
tokenizer = Tokenizer(models.BPE())
tokenizer.normalizer = normalizers.NFC()
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated", False),
                                                   pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator([corpus], trainers.BpeTrainer(
    vocab_size=400, min_frequency=2, show_progress=False, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
model = json.loads(tokenizer.to_str())["model"]
tokens = sorted(model["vocab"], key=model["vocab"].get)
with open(os.path.join(out, "learnt.json"), "w") as f:
    json.dump({"tokens": tokens[259:], "merges": model["merges"]}, f, ensure_ascii=False)
