"""Writes Sources/Terminal/Text/WidthTable.swift from Python's Unicode data.

Width 2: East Asian Width W or F. Width 0: marks (Mn, Me), format characters (Cf) and conjoining Hangul vowels and finals.
Everything else takes one cell, ambiguous characters included.
"""
import pathlib
import unicodedata

target = pathlib.Path(__file__).resolve().parents[3] / "Sources/Terminal/Text/WidthTable.swift"


def width(code):
    if 0xD800 <= code <= 0xDFFF:
        return 1
    char = chr(code)
    if 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF:
        return 0
    category = unicodedata.category(char)
    if category in ("Mn", "Me", "Cf", "Zl", "Zp"):
        return 0
    if 0x20000 <= code <= 0x2FFFD or 0x30000 <= code <= 0x3FFFD:
        return 2
    if unicodedata.east_asian_width(char) in ("W", "F"):
        return 2
    if category == "Cn" and (0x3040 <= code <= 0xA4CF or 0xAC00 <= code <= 0xD7A3 or 0xF900 <= code <= 0xFAFF):
        return 2
    return 1


ranges = []
for code in range(0x300, 0xE0200):
    cells = width(code)
    if cells == 1:
        continue
    if ranges and ranges[-1][2] == cells and ranges[-1][1] == code - 1:
        ranges[-1][1] = code
    else:
        ranges.append([code, code, cells])

lines = [
    "/// Characters from U+0300 on that do not take exactly one cell, as inclusive ranges in order.",
    f"/// Made from Unicode {unicodedata.unidata_version} by Tests/Fixtures/generate/width_table.py.",
    "enum WidthTable {",
    "    /// First code point << 32 | last code point << 8 | cells.",
    "    static let ranges: [UInt64] = [",
]
row = "       "
for first, last, cells in ranges:
    item = f" 0x{first << 32 | last << 8 | cells:x},"
    if len(row) + len(item) > 118:
        lines.append(row)
        row = "       "
    row += item
lines += [row, "    ]", "}", ""]
target.write_text("\n".join(lines))
