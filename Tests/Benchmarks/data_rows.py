"""Times `tuneboard data` on a million rows, and prints rows per second and the most memory that each command held.

    python Tests/Benchmarks/data_rows.py [PROGRAM] [ROWS]

The rows are made up: English and Chinese questions and answers of 10 to 120 words; one in fifty is there twice, one in fifty nearly so.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/tuneboard"
count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
draw = random.Random(1)
english = ["word%d" % n for n in range(20_000)] + ["the", "of", "and", "to", "is"] * 2000
chinese = [chr(0x4E00 + n) for n in range(3000)]


def answer():
    words = draw.choices(english, k=draw.randint(10, 60)) if draw.random() < 0.7 else draw.choices(chinese, k=draw.randint(20, 120))
    return words, (" " if words[0] in english[:1] or words[0].isascii() else "")


with tempfile.TemporaryDirectory() as folder:
    source = os.path.join(folder, "rows.jsonl")
    recent = []
    with open(source, "w", encoding="utf-8") as file:
        for index in range(count):
            chance = draw.random()
            if recent and chance < 0.04:
                words, gap = draw.choice(recent)
                if chance < 0.02:
                    words = list(words)
                    words[draw.randrange(len(words))] = "other"
            else:
                words, gap = answer()
                recent = (recent + [(words, gap)])[-1000:] if index % 10 == 0 else recent
            file.write(json.dumps({"instruction": "", "input": "", "output": gap.join(words)}, ensure_ascii=False) + "\n")
    print(f"{count:,} rows, {os.path.getsize(source) / 1e6:.0f} MB")
    for name, arguments in [
        ("clean: lengths, language, symbols, repetition, masks",
         ["clean", source, "--min_words", "5", "--languages", "zh,en", "--max_symbol_ratio", "0.4", "--max_repetition", "0.3", "--mask", "all"]),
        ("dedup: exact", ["dedup", source, "--by", "exact"]),
        ("dedup: exact and near", ["dedup", source]),
        ("dedup: exact and sentences", ["dedup", source, "--by", "exact,sentences"]),
        ("convert to sharegpt", ["convert", source, "--to", "sharegpt"]),
    ]:
        start = time.time()
        run = subprocess.run([program, "data", *arguments, "--output", os.path.join(folder, "out.jsonl"), "--json"], capture_output=True, text=True)
        seconds = time.time() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        report = json.loads(run.stdout) if run.returncode == 0 else {}
        taken = {entry["rule"]: entry["rows"] for entry in report.get("taken", [])}
        print(f"{name}: {seconds:.1f} s, {count / seconds:,.0f} rows/s, {report.get('kept', 0):,} kept, {taken}, peak so far {peak:.0f} MB {run.stderr.strip()}")
