"""Writes Sources/Tokenizers/Text/UnicodeMappingData.swift and UnicodeFlagData.swift: decompositions, combining classes,
lower case and the character classes that the normalizers and pre-tokenizers of Hugging Face `tokenizers` tell apart.

Everything that the `tokenizers` package (0.22.2) can be asked is asked of it, code point by code point, because its crates
follow several versions of Unicode; combining classes come from Python's unicodedata (14.0) where `tokenizers` reorders by them.
Usage: python unicode_mappings.py OUTPUT_FOLDER
"""
import os
import sys
import unicodedata
from tokenizers import normalizers as n, pre_tokenizers as p

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
NFD, NFC, NFKD = n.NFD().normalize_str, n.NFC().normalize_str, n.NFKD().normalize_str


def mapping(table):
    """`DELTA[*COUNT][!]:hex.hex`: delta from the code point after the last one (hex, left out when 0), COUNT code points that
    map to one consecutive code point each, ! for a composition that is never made."""
    items = sorted(table.items())
    out = []
    position = 0
    index = 0
    while index < len(items):
        c, (targets, excluded) = items[index]
        count = 1
        if len(targets) == 1 and not excluded:
            while index + count < len(items) and items[index + count] == (c + count, ([targets[0] + count], False)):
                count += 1
        delta = c - position
        out.append("%s%s%s:%s" % ("%x" % delta if delta else "", "*%x" % count if count > 1 else "", "!" if excluded else "",
                                  ".".join("%x" % t for t in targets)))
        position = c + count
        index += count
    return " ".join(out)


def runs(members):
    """`DELTA.LENGTH`: code points skipped, then code points in the set, in hex."""
    out = []
    position = 0
    members = sorted(members)
    index = 0
    while index < len(members):
        start = members[index]
        length = 1
        while index + length < len(members) and members[index + length] == start + length:
            length += 1
        out.append("%x.%x" % (start - position, length))
        position = start + length
        index += length
    return " ".join(out)


def swift(name, comment, body):
    lines = ["/// " + comment, "let %s: StaticString = \"\"\"" % name]
    while body:
        cut = body[:118]
        if len(body) > 118:
            cut = cut[:cut.rfind(" ") + 1]
        body = body[len(cut):]
        lines.append("    " + cut.rstrip() + (" \\" if body else ""))
    return "\n".join(lines + ["    \"\"\"", ""])


def write(path, parts):
    with open(path, "w") as out:
        out.write("// Made by Tests/Fixtures/generate/unicode_mappings.py; do not edit.\n\n" + "\n".join(parts))


def main():
    canonical, compatible, lower = {}, {}, {}
    for c in SCALARS:
        s = chr(c)
        if 0xAC00 <= c <= 0xD7A3:
            continue
        d, k = NFD(s), NFKD(s)
        if d != s:
            canonical[c] = ([ord(x) for x in d], NFC(s) != s)
        if k != d:
            compatible[c] = ([ord(x) for x in k], False)
        low = n.Lowercase().normalize_str(s)
        if low != s:
            lower[c] = ([ord(x) for x in low], False)
    classes = {}
    for c in SCALARS:
        value = unicodedata.combining(chr(c))
        if value == 0 or (value > 1 and NFD(chr(c) + "\u0334") != "\u0334" + NFD(chr(c))):
            continue
        classes[c] = ([value], False)
    # Composites of more than two parts must be reachable pair by pair.
    for c, (targets, excluded) in canonical.items():
        if not excluded and len(targets) > 1:
            assert len(NFC("".join(map(chr, targets[:-1])))) == 1, hex(c)
    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    cleaned = n.BertNormalizer(**dict(bert, clean_text=True)).normalize_str
    unaccented = n.BertNormalizer(**dict(bert, strip_accents=True)).normalize_str
    spaced = n.BertNormalizer(**dict(bert, handle_chinese_chars=True)).normalize_str
    strip, nmt, accents = n.Strip().normalize_str, n.Nmt().normalize_str, n.StripAccents().normalize_str
    punctuation, digits = p.Punctuation("isolated").pre_tokenize_str, p.Digits(individual_digits=True).pre_tokenize_str
    sets = [
        ("unicodeWhiteSpace", "White space (Rust's `char::is_whitespace`).", lambda s: strip(s) == ""),
        ("unicodeBertRemoved", "What BertNormalizer's clean_text removes.", lambda s: cleaned(s) == ""),
        ("unicodeBertAccents", "Marks that BertNormalizer's strip_accents removes after decomposing.", lambda s: unaccented(s) == ""),
        ("unicodeMarks", "Marks that StripAccents removes.", lambda s: accents(s) == ""),
        ("unicodeBertIdeographs", "Characters that BertNormalizer puts between blanks.", lambda s: len(spaced(s)) == 3),
        ("unicodePunctuation", "Punctuation of Punctuation and BertPreTokenizer.", lambda s: len(punctuation("a" + s)) == 2),
        ("unicodeNumeric", "Numbers of Digits (Rust's `char::is_numeric`).", lambda s: len(digits("a" + s)) == 2),
        ("unicodeWord", "Word characters of Rust's regular expressions.", lambda s: len(whitespace("a" + s)) == 1 and strip(s) != ""),
        ("unicodeNmtRemoved", "What Nmt removes.", lambda s: nmt(s) == ""),
        ("unicodeNmtSpaces", "What Nmt turns into a blank.", lambda s: s != " " and nmt(s) == " "),
    ]
    whitespace = p.Whitespace().pre_tokenize_str
    folder = sys.argv[1]
    form = "Entries `DELTA[*COUNT][!]:TARGETS`, see UnicodeMappings."
    write(os.path.join(folder, "UnicodeDecompositionData.swift"), [
        swift("unicodeCanonicalDecompositions", "Full canonical decompositions but for Hangul. " + form, mapping(canonical))])
    write(os.path.join(folder, "UnicodeCompatibilityData.swift"), [
        swift("unicodeCompatibilityDecompositions", "Full compatibility decompositions where they differ. " + form, mapping(compatible))])
    write(os.path.join(folder, "UnicodeFlagData.swift"), [
        swift("unicodeCombiningClasses", "Canonical combining classes that are not 0. " + form, mapping(classes)),
        swift("unicodeLowerCase", "Lower case. " + form, mapping(lower)),
    ] + [swift(name, comment + " Runs `DELTA.LENGTH`.", runs([c for c in SCALARS if test(chr(c))])) for name, comment, test in sets])


main()
