"""Decoding and prefill against llama.cpp (llama-cpp-python), side by side in one run.

    swift build -c release --product tuneboard-bench
    python Tests/Benchmarks/decode_peer.py [--shape A|B] [--formats bf16,q8_0,q4_0,q4_k_m] [--rounds 5] [--threads 2]
    python Tests/Benchmarks/decode_peer.py --prefill 512 [...]

Both programs run a model of the same shape with random weights in the same format (for our bf16, llama.cpp's F16): one stream of
tokens after a short prompt, or with `--prefill` one prompt of that many tokens. llama.cpp's files are made once with gguf-py and
its own quantiser, in `--folder`. The programs alternate, each round in a process of its own; printed are the medians and their
ratios, gigabytes of weights per second, and what share that is of the read bandwidth measured in the same process.
"""

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")

SHAPES = {
    "A": {"layers": 12, "hidden": 768, "ff": 2048, "heads": 12, "kv-heads": 4, "vocabulary": 32000, "tied": 0},
    "B": {"layers": 24, "hidden": 896, "ff": 4864, "heads": 14, "kv-heads": 2, "vocabulary": 151936, "tied": 1},
}
# Our format, and llama.cpp's file type that it is compared with.
PEER_FORMATS = {"bf16": "F16", "q8_0": "Q8_0", "q4_0": "Q4_0", "q4_k_m": "Q4_K_M"}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=sorted(SHAPES), default="A")
    parser.add_argument("--formats", default="bf16,q8_0,q4_0,q4_k_m")
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prefill", type=int, default=0, help="measure a prompt of so many tokens instead of decoding")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "tuneboard-decode-peer"))
    parser.add_argument("--program", default=os.path.join(ROOT, ".build", "release", "tuneboard-bench"))
    parser.add_argument("--peer", help="measure llama.cpp once with this GGUF file and print a JSON line")
    return parser.parse_args()


def write_f16(path, shape):
    """A Llama with random weights as GGUF in F16, without a vocabulary."""
    import gguf
    import numpy

    random = numpy.random.default_rng(1)
    width, inner, heads, kv_heads = shape["hidden"], shape["ff"], shape["heads"], shape["kv-heads"]
    head = width // heads
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(shape["layers"])
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(shape["vocabulary"])
    writer.add_file_type(1)
    writer.add_tokenizer_model("none")

    def matrix(name, rows, columns):
        writer.add_tensor(name, (0.02 * random.standard_normal((rows, columns), dtype=numpy.float32)).astype(numpy.float16))

    def norm(name):
        writer.add_tensor(name, numpy.ones(width, dtype=numpy.float32))

    matrix("token_embd.weight", shape["vocabulary"], width)
    norm("output_norm.weight")
    if not shape["tied"]:
        matrix("output.weight", shape["vocabulary"], width)
    for layer in range(shape["layers"]):
        block = f"blk.{layer}."
        norm(block + "attn_norm.weight")
        norm(block + "ffn_norm.weight")
        matrix(block + "attn_q.weight", width, width)
        matrix(block + "attn_k.weight", kv_heads * head, width)
        matrix(block + "attn_v.weight", kv_heads * head, width)
        matrix(block + "attn_output.weight", width, width)
        matrix(block + "ffn_gate.weight", inner, width)
        matrix(block + "ffn_up.weight", inner, width)
        matrix(block + "ffn_down.weight", width, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def peer_file(options, kind):
    """The path of llama.cpp's file, made when it is not there yet."""
    os.makedirs(options.folder, exist_ok=True)
    base = os.path.join(options.folder, f"{options.shape}-F16.gguf")
    if not os.path.exists(base):
        write_f16(base + ".new", SHAPES[options.shape])
        os.rename(base + ".new", base)
    path = os.path.join(options.folder, f"{options.shape}-{kind}.gguf")
    if not os.path.exists(path):
        import llama_cpp

        quiet(llama_cpp)
        settings = llama_cpp.llama_model_quantize_default_params()
        settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
        settings.nthread = options.threads
        if llama_cpp.llama_model_quantize(base.encode(), (path + ".new").encode(), ctypes.byref(settings)) != 0:
            sys.exit(f"llama.cpp could not make {path}")
        os.rename(path + ".new", path)
    return path


def quiet(llama_cpp):
    silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silence, None)
    quiet.kept = silence


def measure_peer(options):
    import llama_cpp
    import numpy

    quiet(llama_cpp)
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(options.peer.encode(), llama_cpp.llama_model_default_params())
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = max(options.prefill, options.prompt + options.tokens) + 64
    settings.n_batch = settings.n_ubatch = max(512, options.prefill)
    settings.n_threads = settings.n_threads_batch = options.threads
    context = llama_cpp.llama_init_from_model(model, settings)
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    memory = llama_cpp.llama_get_memory(context)
    random = numpy.random.default_rng(2)

    def feed(tokens):
        array = (llama_cpp.llama_token * len(tokens))(*[int(token) for token in tokens])
        start = time.perf_counter()
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens))) != 0:
            sys.exit("llama_decode failed")
        logits = llama_cpp.llama_get_logits_ith(context, -1)
        return numpy.ctypeslib.as_array(logits, shape=(vocabulary,)), time.perf_counter() - start

    report = {"case": "prefill" if options.prefill else "decode", "device": f"llama.cpp, {options.threads} threads"}
    if options.prefill:
        seconds = []
        for _ in range(4):
            llama_cpp.llama_memory_clear(memory, True)
            seconds.append(feed(random.integers(0, vocabulary, options.prefill))[1])
        report["tokens_per_second"] = options.prefill / min(seconds[1:])
    else:
        logits, _ = feed(random.integers(0, vocabulary, options.prompt))
        seconds = []
        for _ in range(options.tokens):
            logits, spent = feed([int(logits.argmax())])
            seconds.append(spent)
        report["tokens_per_second"] = 1 / statistics.median(seconds)
    report["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(report))


def run(command):
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stderr}")
    return json.loads(finished.stdout.strip().splitlines()[-1])


def compare(options, kind):
    path = peer_file(options, PEER_FORMATS[kind])
    shape = []
    for name, value in SHAPES[options.shape].items():
        shape += ["--" + name, str(value)]
    common = ["--threads", str(options.threads)]
    if options.prefill:
        command = [options.program, "prefill", "--format", kind, "--tokens", str(options.prefill)] + common + shape
    else:
        command = [options.program, "decode", "--format", kind, "--prompt", str(options.prompt), "--tokens", str(options.tokens)] + common + shape
    peer = [sys.executable, os.path.abspath(__file__), "--peer", path, "--prompt", str(options.prompt), "--tokens", str(options.tokens),
            "--prefill", str(options.prefill)] + common
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(run(command))
        theirs.append(run(peer))

    def median(rows, name):
        return statistics.median(row[name] for row in rows)

    ratios = [mine["tokens_per_second"] / other["tokens_per_second"] for mine, other in zip(ours, theirs)]
    report = {
        "case": "prefill" if options.prefill else "decode", "shape": options.shape, "format": kind, "peer_format": PEER_FORMATS[kind],
        "tokens_per_second": median(ours, "tokens_per_second"), "peer_tokens_per_second": median(theirs, "tokens_per_second"),
        "ratio": statistics.median(ratios), "ratios": [round(ratio, 3) for ratio in ratios],
        "peak_mib": median(ours, "peak_rss_bytes") / 2**20, "peer_peak_mib": median(theirs, "peak_rss_bytes") / 2**20,
    }
    if not options.prefill:
        share = [row["share_of_bandwidth"] for row in ours]
        peer_rate = report["peer_tokens_per_second"] * ours[0]["weight_bytes"] / 1e9
        report["gigabytes_per_second"] = median(ours, "gigabytes_per_second")
        report["read_gigabytes_per_second"] = median(ours, "read_gigabytes_per_second")
        report["share_of_bandwidth"] = statistics.median(share)
        report["peer_share_of_bandwidth"] = peer_rate / report["read_gigabytes_per_second"]
    else:
        report["gflops"] = median(ours, "gflops")
        report["sgemm_gflops"] = median(ours, "sgemm_gflops")
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in report.items()}), flush=True)


def main():
    options = arguments()
    if options.peer:
        return measure_peer(options)
    for kind in options.formats.split(","):
        compare(options, kind)


if __name__ == "__main__":
    main()
