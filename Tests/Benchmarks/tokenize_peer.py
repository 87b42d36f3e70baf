"""Encoding a text against Hugging Face tokenizers on one thread, alternately, in processor time.

    swift build -c release --product tuneboard-bench
    python Tests/Benchmarks/tokenize_peer.py --model DIR --file TEXT [--rounds 5] [--peer-bytes 2000000]

DIR holds a tokenizer.json. The peer encodes the beginning of the text only (a whole 20 MB takes it half a minute a round, and its
speed does not grow with length), line-aligned, in pieces of 100 kB, which suits it better than one long string. Each program
runs in a process of its own; printed are the medians and the median of the ratios of each pair.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-bytes", type=int, default=2_000_000)
    parser.add_argument("--program", default=os.path.join(ROOT, ".build", "release", "tuneboard-bench"))
    parser.add_argument("--peer", action="store_true", help="measure tokenizers once and print a JSON line")
    return parser.parse_args()


def measure_peer(options):
    from tokenizers import Tokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    before = time.process_time()
    tokenizer = Tokenizer.from_file(os.path.join(options.model, "tokenizer.json"))
    loading = time.process_time() - before
    with open(options.file, encoding="utf-8") as file:
        text = file.read()
    pieces, size, start = [], 0, 0
    while start < len(text) and size < options.peer_bytes:
        end = text.find("\n", start + 100_000)
        end = len(text) if end < 0 else end + 1
        pieces.append(text[start:end])
        size += len(pieces[-1].encode())
        start = end
    before = time.process_time()
    count = sum(len(tokenizer.encode(piece, add_special_tokens=False).ids) for piece in pieces)
    seconds = time.process_time() - before
    print(json.dumps({"load_milliseconds": loading * 1000, "megabytes_per_second": size / seconds / 1e6, "tokens": count}))


def one(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main():
    options = arguments()
    if options.peer:
        measure_peer(options)
        return
    ours, peer = [], []
    for _ in range(options.rounds):
        ours.append(one([options.program, "tokenize", "--model", options.model, "--file", options.file]))
        peer.append(one([sys.executable, __file__, "--peer", "--model", options.model, "--file", options.file, "--peer-bytes",
                         str(options.peer_bytes)]))
    print(json.dumps({
        "model": options.model, "file": options.file,
        "tuneboard_megabytes_per_second": statistics.median(r["megabytes_per_second"] for r in ours),
        "tokenizers_megabytes_per_second": statistics.median(r["megabytes_per_second"] for r in peer),
        "speed_ratio": statistics.median(a["megabytes_per_second"] / b["megabytes_per_second"] for a, b in zip(ours, peer)),
        "tuneboard_load_milliseconds": statistics.median(r["load_milliseconds"] for r in ours),
        "tokenizers_load_milliseconds": statistics.median(r["load_milliseconds"] for r in peer),
        "tuneboard_peak_rss_megabytes": statistics.median(r["peak_rss_bytes"] for r in ours) / 1e6,
    }))


main()
