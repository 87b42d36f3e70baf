"""Training steps against transformers + peft, side by side in one run: every bar by its name.

    swift build -c release --product tuneboard-bench
    python Tests/Benchmarks/train_peer.py all                      # every bar, five rounds: about an hour
    python Tests/Benchmarks/train_peer.py lora masked --rounds 3

Programs alternate, each round in processes of their own, on 2 threads. Printed are one line per measurement and, per bar, the
medians and their ratios as a JSON line with "holds". Shape a: 12 layers, d 768, ff 2048, 12/4 heads, vocabulary 32000; shape b:
24 layers, d 896, ff 4864, 14/2 heads, vocabulary 151936, tied. Random weights and tokens, no gradient checkpointing, AdamW.

    lora     LoRA r=8 on all linear layers, shape a, 4 x 256, f32, every token with loss
    masked   the same with the first half of each sequence without loss
    busy     the same while another process keeps one core busy, against a quiet machine
    full     full fine-tuning, shape a, 4 x 256
    shape-b  LoRA on shape b, 1 x 512, bf16 base, against PyTorch's f32 and bf16
    qlora    LoRA on an NF4 base of shape b, 1 x 512: memory against PyTorch's f32 LoRA, speed against our bf16 LoRA
    mixed    LoRA on shape a, sequences of log-normal length (mean 180, cut at 512), 8 at a time, against padding
    long     LoRA on shape a, one sequence of 4096: memory against eager and SDPA attention, and its growth with length
"""

import argparse
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
SHAPES = {
    "a": dict(layers=12, hidden=768, ff=2048, heads=12, kv_heads=4, vocabulary=32000, tied=0),
    "b": dict(layers=24, hidden=896, ff=4864, heads=14, kv_heads=2, vocabulary=151936, tied=1),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bars", nargs="*", default=["lora"], help="names of bars, or all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="measured steps in place of each bar's own number")
    parser.add_argument("--program", default=os.path.join(ROOT, ".build", "release", "tuneboard-bench"))
    parser.add_argument("--peer", help="measure transformers + peft once with these options (JSON) and print a JSON line")
    return parser.parse_args()


# The peer.

def measure_peer(options):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(options["threads"])
    torch.manual_seed(0)
    dtype = getattr(torch, options["dtype"])
    shape = dict(SHAPES[options["shape"]], **({"layers": options["layers"]} if "layers" in options else {}))
    torch.set_default_dtype(dtype)
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=shape["hidden"], intermediate_size=shape["ff"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"], vocab_size=shape["vocabulary"],
        tie_word_embeddings=bool(shape["tied"]), max_position_embeddings=32768, use_cache=False,
        attn_implementation=options["attention"]))
    torch.set_default_dtype(torch.float32)
    if options["method"] == "lora":
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    lengths, batch, seconds, counted = options["lengths"], options["batch"], [], 0
    for step in range(options["warmup"] + options["steps"]):
        chosen = [lengths[(step * batch + i) % len(lengths)] for i in range(batch)]
        tokens = torch.randint(3, shape["vocabulary"], (batch, max(chosen)))
        mask, labels = torch.ones_like(tokens), tokens.clone()
        for row, length in enumerate(chosen):
            mask[row, length:] = 0
            labels[row, length:] = -100
            labels[row, :int(length * options["masked"])] = -100
        start = time.perf_counter()
        padding = {} if min(chosen) == max(chosen) else {"attention_mask": mask}
        loss = model(input_ids=tokens, labels=labels, **padding).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step >= options["warmup"]:
            seconds.append(time.perf_counter() - start)
            counted += sum(chosen)
    total = statistics.median(seconds) * len(seconds) if len(lengths) == 1 else sum(seconds)
    print(json.dumps({
        "device": f"torch {torch.__version__}", "tokens_per_second": counted / total, "step_seconds": seconds,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "gradient_norm": norm.item(), "loss": loss.item()}))


# Running one or the other.

class Runner:
    def __init__(self, options):
        self.options = options

    def run(self, who, shape="a", method="lora", batch=4, lengths=(256,), masked=0.0, dtype="float32", quantization="none",
            attention="sdpa", warmup=2, steps=5, **more):
        steps = self.options.steps or steps
        if who == "ours":
            # A bf16 base is trained as `bf16: true` trains it.
            command = [self.options.program, "train", "--products", dtype, "--shape", shape, "--method", method, "--batch", batch, "--masked", masked,
                       "--lengths", ",".join(map(str, lengths)), "--dtype", dtype, "--quantization", quantization,
                       "--threads", self.options.threads, "--warmup", warmup, "--steps", steps]
        else:
            settings = dict(shape=shape, method=method, batch=batch, lengths=list(lengths), masked=masked, dtype=dtype,
                            attention=attention, warmup=warmup, steps=steps, threads=self.options.threads, **more)
            command = [sys.executable, os.path.abspath(__file__), "--peer", json.dumps(settings)]
        finished = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if finished.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{finished.stderr}")
        return json.loads(finished.stdout.strip().splitlines()[-1])

    def alternate(self, variants, rounds=None):
        """Medians of each variant: name -> (tokens per second, peak bytes, share of sgemm or None)."""
        rows = {name: [] for name in variants}
        for number in range(rounds or self.options.rounds):
            for name, settings in variants.items():
                row = self.run(**settings)
                rows[name].append(row)
                share = f", {row['share_of_sgemm']:.2f} of sgemm" if "share_of_sgemm" in row else ""
                print(f"round {number + 1}, {name}: {row['tokens_per_second']:.1f} tokens/s, {row['peak_rss_bytes'] / 2**20:.0f} MiB, "
                      f"gradient norm {row['gradient_norm']:.4f}{share}", flush=True)
        return rows


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def paired(rows, ours, peer, key="tokens_per_second"):
    """Median of the ratios within rounds."""
    return statistics.median(a[key] / b[key] for a, b in zip(rows[ours], rows[peer]))


def report(bar, checks, rows, **more):
    """checks: name -> (value, bound): at least a positive bound, at most the size of a negative one."""
    result = {"bar": bar}
    for name, (value, bound) in checks.items():
        result[name] = round(value, 3)
        result[name + "_bar"] = (">= " if bound > 0 else "<= ") + str(abs(bound))
    result["holds"] = all(value >= bound if bound > 0 else value <= -bound for value, bound in checks.values())
    result["tokens_per_second"] = {name: round(median(list_, "tokens_per_second"), 1) for name, list_ in rows.items()}
    result["peak_mib"] = {name: round(median(list_, "peak_rss_bytes") / 2**20) for name, list_ in rows.items()}
    print(json.dumps(dict(result, **more)), flush=True)


# The bars.

def bar_lora(runner, name="lora", masked=0.0, least=1.15):
    rows = runner.alternate({"tuneboard": dict(who="ours", masked=masked), "pytorch": dict(who="peer", masked=masked)})
    checks = {"speed_ratio": (paired(rows, "tuneboard", "pytorch"), least),
              "memory_ratio": (paired(rows, "tuneboard", "pytorch", "peak_rss_bytes"), -0.5)}
    if masked == 0:
        checks["share_of_sgemm"] = (median(rows["tuneboard"], "share_of_sgemm"), 0.85)
    report(name, checks, rows)


def bar_masked(runner):
    bar_lora(runner, "masked", masked=0.5, least=1.3)


def bar_busy(runner):
    """Quiet and disturbed runs alternate for both programs."""
    rows = {name: [] for name in ("tuneboard", "tuneboard, one core busy", "pytorch", "pytorch, one core busy")}
    for _ in range(runner.options.rounds):
        for program, who in (("tuneboard", "ours"), ("pytorch", "peer")):
            for row, found in runner.alternate({program: dict(who=who, steps=3)}, rounds=1).items():
                rows[row] += found
            spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                name = program + ", one core busy"
                rows[name] += runner.alternate({name: dict(who=who, steps=3)}, rounds=1)[name]
            finally:
                spinner.kill()
                spinner.wait()
    report("busy", {"share_of_quiet_speed": (paired(rows, "tuneboard, one core busy", "tuneboard"), 0.5)}, rows,
           pytorch_share_of_quiet_speed=round(paired(rows, "pytorch, one core busy", "pytorch"), 3))


def bar_full(runner):
    rows = runner.alternate({"tuneboard": dict(who="ours", method="full"), "pytorch": dict(who="peer", method="full")})
    report("full", {"speed_ratio": (paired(rows, "tuneboard", "pytorch"), 1.15),
                    "memory_ratio": (paired(rows, "tuneboard", "pytorch", "peak_rss_bytes"), -0.7)}, rows)


SHAPE_B = dict(shape="b", batch=1, lengths=(512,), warmup=1, steps=3)


def bar_shape_b(runner):
    rows = runner.alternate({
        "tuneboard": dict(who="ours", dtype="bfloat16", **SHAPE_B), "pytorch f32": dict(who="peer", **SHAPE_B),
        "pytorch bf16": dict(who="peer", dtype="bfloat16", **SHAPE_B)})
    speeds = {peer: paired(rows, "tuneboard", peer) for peer in ("pytorch f32", "pytorch bf16")}
    better = min(speeds, key=speeds.get)
    report("shape-b", {"speed_ratio_to_better": (speeds[better], 1.2),
                       "memory_ratio_to_better": (paired(rows, "tuneboard", better, "peak_rss_bytes"), -0.4)},
           rows, better=better, speed_ratios=speeds,
           memory_ratios={peer: round(paired(rows, "tuneboard", peer, "peak_rss_bytes"), 3) for peer in speeds})


def bar_qlora(runner):
    rows = runner.alternate({
        "tuneboard nf4": dict(who="ours", dtype="bfloat16", quantization="nf4", **SHAPE_B),
        "tuneboard bf16": dict(who="ours", dtype="bfloat16", **SHAPE_B), "pytorch f32": dict(who="peer", **SHAPE_B)})
    report("qlora", {"memory_ratio": (paired(rows, "tuneboard nf4", "pytorch f32", "peak_rss_bytes"), -0.45),
                     "speed_ratio_to_own_bf16": (paired(rows, "tuneboard nf4", "tuneboard bf16"), 0.8)},
           rows, speed_ratio_to_pytorch_f32=round(paired(rows, "tuneboard nf4", "pytorch f32"), 3))


def mixed_lengths(count, mean=180, sigma=0.8, most=512):
    """Log-normal with the given mean, cut at `most`; at least 8 tokens."""
    generator = random.Random(7)
    return [max(8, min(most, round(generator.lognormvariate(math.log(mean) - sigma ** 2 / 2, sigma)))) for _ in range(count)]


def bar_mixed(runner):
    batch, steps, warmup = 8, 4, 1
    settings = dict(batch=batch, lengths=mixed_lengths(batch * (steps + warmup)), steps=steps, warmup=warmup)
    rows = runner.alternate({"tuneboard": dict(who="ours", **settings), "pytorch": dict(who="peer", **settings)})
    used = settings["lengths"]
    report("mixed", {"speed_ratio": (paired(rows, "tuneboard", "pytorch"), 2.5)}, rows,
           mean_length=round(statistics.mean(used)), memory_ratio=round(paired(rows, "tuneboard", "pytorch", "peak_rss_bytes"), 3))


def bar_long(runner):
    """Eager attention of 4096 tokens in 12 layers takes more than 20 GiB: it is measured with 2 and 4 layers and continued."""
    once = dict(batch=1, warmup=1, steps=1)
    ours = {length: runner.run("ours", lengths=(length,), **once)["peak_rss_bytes"] for length in (1024, 2048, 4096)}
    print("tuneboard, MiB by length:", {length: round(peak / 2**20) for length, peak in ours.items()}, flush=True)
    sdpa = runner.run("peer", lengths=(4096,), **once)["peak_rss_bytes"]
    few, more = (runner.run("peer", lengths=(4096,), attention="eager", layers=layers, **once)["peak_rss_bytes"] for layers in (2, 4))
    eager = more + (more - few) / 2 * (SHAPES["a"]["layers"] - 4)
    slope = ((ours[4096] - ours[2048]) / 2048) / ((ours[2048] - ours[1024]) / 1024)
    checks = {"of_eager": (ours[4096] / eager, -0.25), "of_sdpa": (ours[4096] / sdpa, -0.6), "growth_per_token_4096_to_2048": (slope, -1.15)}
    result = {"bar": "long", "holds": all(value <= -bound for value, bound in checks.values())}
    result.update({name: round(value, 3) for name, (value, _) in checks.items()})
    result["peak_mib"] = {"tuneboard": {length: round(peak / 2**20) for length, peak in ours.items()}, "sdpa": round(sdpa / 2**20),
                          "eager, 2 layers": round(few / 2**20), "eager, 4 layers": round(more / 2**20), "eager, 12 layers by these": round(eager / 2**20)}
    print(json.dumps(result), flush=True)


BARS = {"lora": bar_lora, "masked": bar_masked, "busy": bar_busy, "full": bar_full, "shape-b": bar_shape_b, "qlora": bar_qlora,
        "mixed": bar_mixed, "long": bar_long}


def main():
    options = arguments()
    if options.peer:
        return measure_peer(json.loads(options.peer))
    names = list(BARS) if "all" in options.bars else options.bars
    unknown = [name for name in names if name not in BARS]
    if unknown:
        sys.exit(f"unknown bar {unknown[0]}: expected one of {', '.join(BARS)}, all")
    for name in names:
        BARS[name](Runner(options))


if __name__ == "__main__":
    main()
