"""Encoding a text against Hugging Face tokenizers on one thread, alternately.

    swift build -c release --product tuneboard-bench
    python Tests/Benchmarks/tokenize_peer.py --model DIR --files PROSE CODE CHINESE [--bytes 20000000] [--threads 2] [--rounds 5]

DIR holds a tokenizer.json. The files are mixed in pieces of 100 kB, whole lines, in turn and from the start again, to a text of
`--bytes`. The peer encodes it piece by piece, which suits it better than one long string. On one thread both are measured in
processor time; with `--threads` ours is by the clock, the peer still on one. Each program runs in a process of its own; printed are
the medians and the median of the ratios of each pair.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
PIECE = 100_000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--files", nargs="+", required=True)
    parser.add_argument("--bytes", type=int, default=20_000_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", default=os.path.join(ROOT, ".build", "release", "tuneboard-bench"))
    parser.add_argument("--peer", action="store_true", help="measure tokenizers on the first file once and print a JSON line")
    return parser.parse_args()


def pieces(data):
    """Byte strings of whole lines, PIECE bytes or a little more."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + PIECE)
        end = len(data) if end < 0 else end + 1
        yield data[start:end]
        start = end


def mixed(files, size):
    sources = []
    for path in files:
        with open(path, "rb") as file:
            sources.append(itertools.cycle(list(pieces(file.read()))))
    found = bytearray()
    for source in itertools.cycle(sources):
        if len(found) >= size:
            return bytes(found)
        found += next(source)


def measure_peer(options):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    before = time.process_time()
    tokenizer = Tokenizer.from_file(os.path.join(options.model, "tokenizer.json"))
    loading = time.process_time() - before
    with open(options.files[0], "rb") as file:
        data = file.read()
    texts = [piece.decode() for piece in pieces(data)]
    before = time.process_time()
    count = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
    seconds = time.process_time() - before
    print(json.dumps({"load_milliseconds": loading * 1000, "megabytes_per_second": len(data) / seconds / 1e6, "tokens": count}))


def one(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main():
    options = arguments()
    if options.peer:
        measure_peer(options)
        return
    ours, peer = [], []
    with tempfile.NamedTemporaryFile(suffix=".txt") as text:
        text.write(mixed(options.files, options.bytes))
        text.flush()
        for _ in range(options.rounds):
            ours.append(one([options.program, "tokenize", "--model", options.model, "--file", text.name, "--threads", str(options.threads)]))
            peer.append(one([sys.executable, __file__, "--peer", "--model", options.model, "--files", text.name]))
    print(json.dumps({
        "model": options.model, "bytes": ours[0]["bytes"], "threads": options.threads,
        "tuneboard_tokens": ours[0]["tokens"], "tokenizers_tokens": peer[0]["tokens"],
        "tuneboard_megabytes_per_second": statistics.median(r["megabytes_per_second"] for r in ours),
        "tokenizers_megabytes_per_second": statistics.median(r["megabytes_per_second"] for r in peer),
        "speed_ratio": statistics.median(a["megabytes_per_second"] / b["megabytes_per_second"] for a, b in zip(ours, peer)),
        "tuneboard_load_milliseconds": statistics.median(r["load_milliseconds"] for r in ours),
        "tokenizers_load_milliseconds": statistics.median(r["load_milliseconds"] for r in peer),
        "tuneboard_peak_rss_megabytes": statistics.median(r["peak_rss_bytes"] for r in ours) / 1e6,
    }))


main()
