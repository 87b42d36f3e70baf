"""Small tokenizers with the pipelines that model families publish, and what `tokenizers` and `sentencepiece` make of difficult strings.

Usage: python tokenizer_kinds.py OUTPUT_FOLDER   (tokenizers 0.22.2, sentencepiece 0.2.1)
Writes strings.json and, for each kind, NAME/tokenizer.json or NAME/tokenizer.model, and NAME/digests.txt: one line per string, two
times six hexadecimal digits: an FNV-1a hash of the ids, a 0xFFFFFFFF and the ids with special tokens; one of the decoded text, a zero byte
and the text decoded without special tokens. `-` where the reference has no answer.
"""
import json
import os
import random
import sys
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers as n, pre_tokenizers as p, processors, trainers

CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
DEEPSEEK = [r"[\r\n]", "\\s?[A-Za-zµÀ-ÖØ-öø-ƺЀ-ҁＡ-Ｚ]+", "\\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-\ud7ff]+"]
WORDS = """the quick brown fox jumps over a lazy dog Hello world language model training adapter engine token we're don't it's I'LL
123 4567 2026 3.14159 def return for in range print self.value = 0 if x != None else [] {} () -> struct func let 你好 世界 模型 训练 数据
我们 可以 中文 分词 测试 今天 天气 很好 早上好 日本語 テスト カタカナ ひらがな 한국어 안녕하세요 Привет мир как дела naïve café résumé über
straße Ελληνικά שלום مرحبا हिन्दी ไทย""".split()


def corpus():
    generator = random.Random(7)
    lines = []
    for _ in range(1500):
        words = [generator.choice(WORDS) for _ in range(generator.randint(3, 18))]
        lines.append((" " if generator.random() < 0.8 else "").join(words) + generator.choice([".", "!", "?", "", "…", "。"]))
    return lines


def strings():
    """2,100 strings: mixtures of awkward pieces, of whole blocks of Unicode, of words, of code."""
    generator = random.Random(11)
    pieces = list("abcXYZ019 \n\t\r'.,!?-_/\\<|>") + [
        "'s", "'LL", "  ", "é", "e\u0301", "中", "文", "字", "ß", "ſ", "١", "½", "👍", "\u200d", "\u3000", "\u00a0", "한", "क", "्", "\u0085", "\u2028", "𝕳",
        "\u0300", "Ǆ", "<|user|>", "<|end|>", "word", "strip", "<mask>", "norm", "NORM", "İ", "ﬁ", "㍿", "Ω", "\u0f71\u0f72", "\u1100\u1161", "각",
        "\u11a8", "\u0000", "\u200b", "\ufeff", "\ufffd", "▁", "<0x41>", "\U000e0061", "🏳️‍🌈", "👨‍👩‍👧", "🇩🇪", "\ue000", "\u0378", "שלו", "עִבְ", "\u202e",
        "Å", "\u212b", "ỹ", "ộ", "\r\n"]
    blocks = [
        (0x00, 0x20), (0x20, 0x7F), (0x7F, 0xA0), (0xA0, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x52F), (0x530, 0x6FF), (0x700, 0x8FF),
        (0x900, 0xDFF), (0xE00, 0xFFF), (0x1000, 0x11FF), (0x1200, 0x1DFF), (0x1E00, 0x218F), (0x2190, 0x2BFF), (0x2C00, 0x2FFF), (0x3000, 0x30FF),
        (0x3100, 0x4DFF), (0x4E00, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0xF900, 0xFDFF), (0xFE00, 0xFFFF),
        (0x10000, 0x1FFFF), (0x1F300, 0x1FAFF), (0x1D400, 0x1D7FF), (0x20000, 0x2FFFF), (0xE0000, 0x10FFFF)]
    code = ["def f(x):\n\treturn x**2  # square", "for (int i = 0; i < n; ++i) { a[i] += b; }\r\n", "    if x != None:\n        print(f\"{x!r:>10}\")"]
    result = ["", " ", "  ", "\n", "\t ", "A" * 300, "你好" * 90, " " * 70, "ab" * 200, "한국어" * 40, "👍" * 40]
    while len(result) < 2100:
        kind = generator.randrange(6)
        if kind == 0:
            text = "".join(generator.choice(pieces) for _ in range(generator.randint(1, 25)))
        elif kind in (1, 2):
            text, block = "", generator.choice(blocks)
            for _ in range(generator.randint(1, 16)):
                low, high = generator.choice(blocks) if kind == 1 else block
                text += chr(generator.randint(low, high))
        elif kind == 3:
            text = "".join(generator.choice([" ", "", "  ", "\n", "。"]) + generator.choice(WORDS) for _ in range(generator.randint(1, 14)))
        elif kind == 4:
            text = generator.choice(code) + "".join(generator.choice(pieces) for _ in range(generator.randint(0, 6)))
        else:
            text = " " * generator.randint(0, 3) + "".join(
                generator.choice([generator.choice(WORDS), generator.choice(pieces), " " * generator.randint(1, 9), str(generator.randint(0, 10**9))])
                for _ in range(generator.randint(1, 10))) + " " * generator.randint(0, 3)
        result.append("".join(c for c in text if not 0xD800 <= ord(c) <= 0xDFFF))
    return result


def add_tokens(tokenizer):
    tokenizer.add_special_tokens(["<|bos|>", "<|user|>", "<|end|>"])
    tokenizer.add_tokens([
        AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False), AddedToken("word", single_word=True, normalized=False),
        AddedToken("strip", lstrip=True, normalized=False), AddedToken("NORM", normalized=True)])
    return tokenizer


def byte_level(steps, size=420, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = p.Sequence(steps) if len(steps) > 1 else steps[0]
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=size, show_progress=False, special_tokens=["<|endoftext|>"], initial_alphabet=p.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return add_tokens(tokenizer)


def split(pattern):
    return p.Split(Regex(pattern), "isolated", False)


PLAIN = p.ByteLevel(add_prefix_space=False, use_regex=False)


def piece_model(path, **options):
    settings = dict(sentence_iterator=iter(corpus()), model_prefix=path, hard_vocab_limit=False, num_threads=1, minloglevel=2,
                    character_coverage=0.98)
    sentencepiece.SentencePieceTrainer.train(**{**settings, **options})
    model = sentencepiece_model_pb2.ModelProto()
    with open(path + ".model", "rb") as file:
        model.ParseFromString(file.read())
    # The files hold no folder of the machine that made them.
    model.trainer_spec.ClearField("model_prefix")
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    with open(path + ".model", "wb") as file:
        file.write(model.SerializeToString())
    return model


def pair_from_pieces(model):
    scores = [(piece.piece, piece.score) for piece in model.pieces]
    ids = {piece: i for i, (piece, _) in enumerate(scores)}
    merges = []
    for piece, score in scores:
        for cut in range(1, len(piece)):
            if piece[:cut] in ids and piece[cut:] in ids:
                merges.append((score, -ids[piece[:cut]], piece[:cut], piece[cut:]))
    merges.sort(key=lambda m: -m[0])
    return models.BPE(ids, [m[2:] for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)


def from_pieces(model, kind):
    mark = "\u2581"
    tokenizer = Tokenizer(pair_from_pieces(model))
    ending = [decoders.Replace(mark, " "), decoders.ByteFallback(), decoders.Fuse()]
    if kind == "gemma":
        tokenizer.normalizer = n.Replace(" ", mark)
        tokenizer.pre_tokenizer = p.Split(" ", "merged_with_previous", False)
    elif kind == "llama2":
        tokenizer.normalizer = n.Sequence([n.Prepend(mark), n.Replace(" ", mark)])
        ending.append(decoders.Strip(" ", 1, 0))
    else:
        tokenizer.pre_tokenizer = p.Metaspace(replacement=mark, prepend_scheme="first", split=False)
        ending.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(ending)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    add_tokens(tokenizer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def unigram(model, byte_fallback):
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in model.pieces], unk_id=0, byte_fallback=byte_fallback))
    steps = [n.Precompiled(model.normalizer_spec.precompiled_charsmap)] if model.normalizer_spec.precompiled_charsmap else []
    tokenizer.normalizer = n.Sequence(steps + [n.Replace(Regex(" {2,}"), " ")])
    if byte_fallback:
        tokenizer.pre_tokenizer = p.Metaspace(prepend_scheme="first")
        tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    else:
        tokenizer.pre_tokenizer = p.Sequence([p.WhitespaceSplit(), p.Metaspace(prepend_scheme="always")])
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    add_tokens(tokenizer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|end|>", pair="$A <|end|> $B <|end|>", special_tokens=[("<|end|>", tokenizer.token_to_id("<|end|>"))])
    return tokenizer


def bert(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = n.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = p.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(
        vocab_size=500, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    add_tokens(tokenizer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def mixtures():
    """The parts that no family above uses together."""
    suffix = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=False))
    suffix.normalizer = n.Sequence([n.NFKC(), n.Lowercase(), n.Strip()])
    suffix.pre_tokenizer = p.Sequence([p.Whitespace(), p.Digits(individual_digits=True)])
    suffix.decoder = decoders.BPEDecoder(suffix="</w>")
    suffix.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=400, show_progress=False, special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=120))
    prefix = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="@@", fuse_unk=True))
    prefix.normalizer = n.Sequence([n.NFD(), n.StripAccents(), n.Replace(Regex(r"[0-9]+"), "9")])
    prefix.pre_tokenizer = p.Sequence([p.WhitespaceSplit(), p.Punctuation("merged_with_previous")])
    prefix.decoder = decoders.WordPiece(prefix="@@", cleanup=True)
    prefix.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=400, show_progress=False, special_tokens=["<unk>"], continuing_subword_prefix="@@", limit_alphabet=120))
    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.normalizer = n.Sequence([n.NFKD(), n.Nmt(), n.Strip(left=False, right=True)])
    words.pre_tokenizer = p.Sequence([p.CharDelimiterSplit(" "), p.Split(Regex(r"\d"), "contiguous"), p.Split(Regex("[A-Z]"), "merged_with_next"),
                                      p.Split("o", "removed")])
    words.train_from_iterator(corpus(), trainers.WordLevelTrainer(vocab_size=300, show_progress=False, special_tokens=["<unk>"]))
    return {"suffix": add_tokens(suffix), "prefix": add_tokens(prefix), "words": add_tokens(words)}


def rules(path):
    """A small character map with what matters in nmt_nfkc: blanks, removals, marks, widths, ligatures."""
    table = {"\r\n": " ", "\n": " ", "\t": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "\u200b": " ", "\u2028": " ", "\x01": "", "\u200e": "",
             "e\u0301": "é", "e\u0300": "è", "ﬁ": "fi", "㍿": "株式会社", "½": "1/2", "\u212b": "Å", "İ": "i\u0307"}
    table.update({chr(0xFF01 + i): chr(0x21 + i) for i in range(94)})
    with open(path, "w") as out:
        for source, target in table.items():
            out.write(" ".join("%X" % ord(c) for c in source) + "\t" + " ".join("%X" % ord(c) for c in target) + "\n")


def digest(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "%06x" % (value & 0xFFFFFF)


def line(ids, special, decoded, plain):
    numbers = b"".join(i.to_bytes(4, "little") for i in ids) + b"\xff" * 4 + b"".join(i.to_bytes(4, "little") for i in special)
    return digest(numbers) + digest(decoded.encode() + b"\0" + plain.encode())


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    texts = strings()
    with open(os.path.join(out, "strings.json"), "w") as file:
        json.dump(texts, file, ensure_ascii=False, separators=(",", ":"))
    work = os.path.join(out, "work")
    os.makedirs(work, exist_ok=True)
    rules(work + "/rules.tsv")
    pair = piece_model(work + "/pair", model_type="bpe", vocab_size=620, byte_fallback=True, normalization_rule_name="identity",
                       remove_extra_whitespaces=False, split_digits=True, user_defined_symbols=["<sep>", "norm"])
    single = piece_model(work + "/single", model_type="unigram", vocab_size=420, normalization_rule_tsv=work + "/rules.tsv",
                         user_defined_symbols=["<sep>", "norm"])
    single_bytes = piece_model(work + "/bytes", model_type="unigram", vocab_size=700, normalization_rule_name="identity", byte_fallback=True,
                               remove_extra_whitespaces=False)
    piece_model(work + "/suffix", model_type="bpe", vocab_size=420, normalization_rule_tsv=work + "/rules.tsv", treat_whitespace_as_suffix=True)
    kinds = {
        "cl100k": byte_level([split(CL100K), PLAIN]), "bloom": byte_level([split(BLOOM), PLAIN]),
        "deepseek": byte_level([split(x) for x in DEEPSEEK] + [p.Digits(individual_digits=True), PLAIN]),
        "starcoder": byte_level([p.Digits(individual_digits=True), p.ByteLevel(add_prefix_space=False, use_regex=True)]),
        "gemma": from_pieces(pair, "gemma"), "llama2-pieces": from_pieces(pair, "llama2"), "mistral-pieces": from_pieces(pair, "mistral"),
        "t5": unigram(single, False), "unigram-bytes": unigram(single_bytes, True), "bert": bert(True), "bert-cased": bert(False), **mixtures()}
    for name, tokenizer in kinds.items():
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        tokenizer.save(folder + "/tokenizer.json", pretty=False)
        with open(folder + "/digests.txt", "w") as file:
            for text in texts:
                ids = tokenizer.encode(text, add_special_tokens=False).ids
                file.write(line(ids, tokenizer.encode(text).ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)) + "\n")
    for name in ("pair", "single", "bytes", "suffix"):
        folder = os.path.join(out, "piece-" + name)
        os.makedirs(folder, exist_ok=True)
        os.replace(f"{work}/{name}.model", folder + "/tokenizer.model")
        processor = sentencepiece.SentencePieceProcessor(model_file=folder + "/tokenizer.model")
        begin = [processor.bos_id()]
        with open(folder + "/digests.txt", "w") as file:
            for text in texts:
                ids = processor.encode(text)
                # The unknown piece is a special token: it goes with the others when those are skipped.
                file.write(line(ids, begin + ids, processor.decode(ids), processor.decode([i for i in ids if i > 2])) + "\n")
    for name in os.listdir(work):
        os.remove(os.path.join(work, name))
    os.rmdir(work)


main()
