"""Writes Sources/Tokenizers/UnicodeClassData.swift: the general category of every code point as run lengths.

The classes are asked of the `tokenizers` package itself (its regular expression engine), so that our scanners cut words
where it does; what the engine does not tell apart comes from Python's unicodedata.
Usage: python unicode_classes.py OUTPUT.swift
"""
import sys
import unicodedata
from tokenizers import Regex, pre_tokenizers

CATEGORIES = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
              "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"]
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def members(pattern):
    """Code points that one-character pattern matches, found by splitting a string of all of them."""
    found = set()
    splitter = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    for start in range(0, len(SCALARS), 20000):
        chunk = SCALARS[start:start + 20000]
        text = "".join(map(chr, chunk))
        for piece, _ in splitter.pre_tokenize_str(text):
            found.update(map(ord, piece))
    return found


def main():
    category = {}
    for name in CATEGORIES:
        if name in ("Cs", "Cn"):
            continue
        for c in members(r"\p{%s}" % name):
            category[c] = name
    for c in range(0x110000):
        if c not in category:
            category[c] = "Cs" if 0xD800 <= c <= 0xDFFF else "Cn"
    space = members(r"\s")
    word = members(r"\w")
    differing = sum(1 for c in SCALARS if unicodedata.category(chr(c)) != category[c])
    values = []
    for c in range(0x110000):
        value = CATEGORIES.index(category[c])
        if c in space:
            value |= 32
        if c in word:
            value |= 64
        values.append(value)
    runs = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    text = []
    for value, length in runs:
        text.append("%02x%x" % (value, length))
    body = " ".join(text)
    lines = []
    while body:
        cut = body[:116]
        if len(body) > 116:
            cut = cut[:cut.rfind(" ") + 1]
        lines.append(cut)
        body = body[len(cut):]
    with open(sys.argv[1], "w") as out:
        out.write("// Made by Tests/Fixtures/generate/unicode_classes.py; do not edit.\n\n")
        out.write("/// General category and flags of all code points: runs of `vvL`, vv two hex digits (category, 32 white space, 64 word\n")
        out.write("/// character), L the run's length in hex digits; runs are separated by a space and follow each other from U+0000.\n")
        out.write('let unicodeClassRuns: StaticString = """\n')
        for line in lines[:-1]:
            out.write("    " + line.rstrip() + " \\\n")
        out.write("    " + lines[-1].rstrip() + "\n")
        out.write('    """\n')
    print(len(runs), "runs,", differing, "code points differ from unicodedata", unicodedata.unidata_version)


main()
