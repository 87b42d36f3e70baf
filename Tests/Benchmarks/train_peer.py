"""LoRA and full training steps against transformers + peft, side by side in one run.

    swift build -c release --product tuneboard-bench
    python Tests/Benchmarks/train_peer.py [--rounds 3] [--threads 2] [--method lora] [--layers 12 --hidden 768 ...]

Both train the same Llama shape in f32 on random tokens that all carry loss, without gradient checkpointing. The two programs
alternate, each round in a process of its own; printed are the medians of tokens per second and of peak memory, and their ratios.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")


def arguments():
    parser = argparse.ArgumentParser()
    for name, default in (("layers", 12), ("hidden", 768), ("ff", 2048), ("heads", 12), ("kv-heads", 4), ("vocabulary", 32000),
                          ("batch", 4), ("length", 256), ("rank", 8), ("threads", 2), ("steps", 5), ("warmup", 2)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--method", choices=["lora", "full"], default="lora")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=os.path.join(ROOT, ".build", "release", "tuneboard-bench"))
    parser.add_argument("--peer", action="store_true", help="measure transformers + peft once and print a JSON line")
    return parser.parse_args()


def measure_peer(options):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=options.hidden, intermediate_size=options.ff, num_hidden_layers=options.layers,
        num_attention_heads=options.heads, num_key_value_heads=options.kv_heads, vocab_size=options.vocabulary, use_cache=False))
    if options.method == "lora":
        model = get_peft_model(model, LoraConfig(r=options.rank, lora_alpha=2 * options.rank, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    seconds = []
    for step in range(options.warmup + options.steps):
        tokens = torch.randint(0, options.vocabulary, (options.batch, options.length))
        start = time.perf_counter()
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step >= options.warmup:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "case": "train", "method": options.method, "device": f"torch {torch.__version__}, {options.threads} threads",
        "tokens_per_second": options.batch * options.length / statistics.median(seconds), "step_seconds": seconds,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "gradient_norm": norm.item(), "loss": loss.item()}))


def run(command):
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stderr}")
    return json.loads(finished.stdout.strip().splitlines()[-1])


def main():
    options = arguments()
    if options.peer:
        return measure_peer(options)
    shape = []
    for name in ("layers", "hidden", "ff", "heads", "kv-heads", "vocabulary", "batch", "length", "rank", "threads", "steps", "warmup", "method"):
        shape += ["--" + name, str(getattr(options, name.replace("-", "_")))]
    ours, theirs = [], []
    for number in range(options.rounds):
        ours.append(run([options.program, "train"] + shape))
        theirs.append(run([sys.executable, os.path.abspath(__file__), "--peer"] + shape))
        for row in (ours[-1], theirs[-1]):
            print(f"round {number + 1}: {row['device']}: {row['tokens_per_second']:.0f} tokens/s, "
                  f"{row['peak_rss_bytes'] / 2**20:.0f} MiB, gradient norm {row['gradient_norm']:.4f}", flush=True)
    speed = [statistics.median(row["tokens_per_second"] for row in rows) for rows in (ours, theirs)]
    memory = [statistics.median(row["peak_rss_bytes"] for row in rows) for rows in (ours, theirs)]
    share = statistics.median(row["share_of_sgemm"] for row in ours)
    print(json.dumps({
        "method": options.method, "tokens_per_second": speed[0], "peer_tokens_per_second": speed[1], "speed_ratio": speed[0] / speed[1],
        "peak_mib": memory[0] / 2**20, "peer_peak_mib": memory[1] / 2**20, "memory_ratio": memory[0] / memory[1],
        "share_of_sgemm": share}))


if __name__ == "__main__":
    main()
