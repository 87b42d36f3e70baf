"""Small byte-level and byte-fallback BPE tokenizers, and what Hugging Face `tokenizers` makes of difficult strings.

Usage: python tokenizer_cases.py OUTPUT_FOLDER
Writes NAME/tokenizer.json and NAME/cases.json: [{"text", "ids", "special_ids", "decoded"}].
"""
import json
import os
import random
import sys
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GPT2 = None
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])

WORDS = """the quick brown fox jumps over a lazy dog Hello world language model training adapter engine token Tuneboard we're don't
it's I'LL they've 123 4567 2026 3.14159 def return for in range print self.value = 0 if x != None else [] {} () -> struct func let
你好 世界 模型 训练 数据 我们 可以 中文 分词 测试 今天 天气 很 好 早上好 日本語 テスト カタカナ 한국어 안녕하세요 Привет мир как дела
naïve café résumé über straße Ελληνικά שלום مرحبا हिन्दी ไทย""".split()


def corpus():
    generator = random.Random(7)
    lines = []
    for _ in range(1500):
        words = [generator.choice(WORDS) for _ in range(generator.randint(3, 18))]
        lines.append((" " if generator.random() < 0.8 else "").join(words) + generator.choice([".", "!", "?\n", "\n\n", "", "…", "。"]))
    return lines


def strings():
    """Difficult strings: chosen ones, then random mixtures of awkward characters."""
    chosen = [
        "", " ", "  ", "   a", "\n", "\n\n", " \n ", "\r\n\r\n x", "\t\tcode\n    indented\n", "a  b   c    d", "trailing   ", "  \n  \n  x",
        "don't DON'T we'Ve I'll 'S 'ſ it'ſ x'll'd 'tis 'Round", "''s'", "'", "' s", "1234567890", "1 12 123 1234 12345", "٣٤٥ ① ½ Ⅷ 十",
        "x=1;y=[2,3]//c\n", "a_b-c.d/e\\f", "émile e\u0301mile", "ﬁ ﬂ Å Å ö o\u0308", "क्षि हिन्दी", "\u200b\u200d\ufeffzero",
        "👩‍👩‍👧‍👦 family 🇩🇪🇫🇷 👍🏽", "한국어 텍스트 \u1112\u1161\u11ab", "日本語テスト。カタカナ", "你好，世界！今天天气很好吗？", "שלום עולם", "مرحبا بالعالم",
        "\u00a0nbsp\u00a0\u00a0x\u3000ideographic", "\u0085next\u2028line\u2029para", "\x00\x01\x1c\x1f\x7f", "a\u0300\u0301\u0302b", "𝕳𝖊𝖑𝖑𝖔 𐍈", "ẞ ß ſ K Å",
        "<|user|>hi<|end|>", " <|user|> hi <|end|> ", "a<|end|><|end|>b", "<|end", "<|use r|>", "x <mask> y", "x<mask>y", "word", "a word b", "awordb",
        "  strip  ", "x  strip  y", "NORM norm Norm", "{\"a\": [1, 2.5e-3, null]}", "http://x.y/z?q=1&r=2#f", "A" * 300, "ab" * 200, " " * 70,
        "你好" * 90, "…—–“”‘’", "snake_case camelCase PascalCase SCREAMING", "\U0001F600" * 5, "\U000E0001\U0010FFFF\uE000", "ǅ ǆ Ǆ", "İi ıI",
        "end\r", "end\r\n", "\r\r\n\n\r", "x \r\n\t y", "1\u00a02", "!?!?\n\n!?", " !?\r\n", "a\u2003 b", "³²¹", "m²", "Ⓐⓐ", "ªº",
    ]
    generator = random.Random(11)
    alphabet = list("abcXYZ019 \n\t\r'.,!?-_/\\<|>") + ["'s", "'LL", "  ", "é", "e\u0301", "中", "文", "字", "ß", "ſ", "١", "½", "👍", "\u200d", "\u3000", "\u00a0",
                                              "한", "क", "्", "\u0085", "\u2028", "𝕳", "\u0300", "Ǆ", "<|user|>", "<|end|>", "word", "strip", "<mask>", "norm"]
    for _ in range(190):
        chosen.append("".join(generator.choice(alphabet) for _ in range(generator.randint(1, 30))))
    ranges = [(0x20, 0x7F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0xFFF), (0x1E00, 0x218F),
              (0x2190, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFDFF), (0xFE00, 0xFFFD), (0x1F300, 0x1FAFF), (0x20000, 0x20FFF)]
    for _ in range(90):
        text = ""
        for _ in range(generator.randint(1, 25)):
            low, high = generator.choice(ranges)
            text += chr(generator.randint(low, high))
        chosen.append(text)
    return chosen


def added(tokenizer):
    tokenizer.add_special_tokens(["<|bos|>", "<|user|>", "<|end|>"])
    tokenizer.add_tokens([
        AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False),
        AddedToken("strip", lstrip=True, normalized=False),
        AddedToken("NORM", normalized=True),
    ])


def byte_level(pattern, add_prefix_space=False, nfc=False, alphabet=True, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=True)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), "isolated", False),
            pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, show_progress=False, special_tokens=["<|endoftext|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else [])
    tokenizer.train_from_iterator(corpus(), trainer)
    added(tokenizer)
    return tokenizer


def byte_fallback(metaspace):
    """Like Llama 2 and Mistral: characters, <0xNN> for the rest."""
    seed = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if metaspace:
        seed.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False)
    else:
        seed.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    trainer = trainers.BpeTrainer(vocab_size=560, show_progress=False, limit_alphabet=180,
                                  special_tokens=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)])
    seed.train_from_iterator([line.split("\n")[0][:40] for line in corpus()], trainer)
    data = json.loads(seed.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    added(tokenizer)
    return tokenizer


def main():
    out = sys.argv[1]
    kinds = {
        "gpt2": byte_level(GPT2),
        "gpt2-prefix": byte_level(GPT2, add_prefix_space=True, alphabet=False),
        "llama3": byte_level(LLAMA3, ignore_merges=True),
        "qwen2": byte_level(QWEN2, nfc=True),
        "o200k": byte_level(O200K),
        "llama2": byte_fallback(False),
        "mistral": byte_fallback(True),
    }
    for name, tokenizer in kinds.items():
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        if name == "llama3":
            bos = tokenizer.token_to_id("<|bos|>")
            tokenizer.post_processor = processors.Sequence([
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", bos)])])
        data = json.loads(tokenizer.to_str())
        if name in ("gpt2", "mistral"):  # the older spelling of merges
            data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
        with open(os.path.join(folder, "tokenizer.json"), "w") as f:
            json.dump(data, f, ensure_ascii=False, separators=(",", ":"))
        tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        cases = []
        for text in strings():
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            cases.append({"text": text, "ids": ids, "special_ids": tokenizer.encode(text, add_special_tokens=True).ids if name == "llama3" else None,
                          "decoded": tokenizer.decode(ids, skip_special_tokens=False), "plain": tokenizer.decode(ids, skip_special_tokens=True)})
        shared = compact(cases)
        with open(os.path.join(folder, "cases.json"), "w") as f:
            json.dump(shared, f, ensure_ascii=False, separators=(",", ":"))
    with open(os.path.join(out, "strings.json"), "w") as f:
        json.dump(strings(), f, ensure_ascii=False, separators=(",", ":"))


def compact(cases):
    """Texts are shared between kinds; what decodes to itself is not written again."""
    result = []
    for case in cases:
        entry = [case["ids"]]
        entry.append(None if case["decoded"] == case["text"] else case["decoded"])
        entry.append(None if case["plain"] == case["decoded"] else case["plain"])
        if case["special_ids"] is not None:
            entry.append(case["special_ids"][:2])
        result.append(entry)
    return result


main()
