"""The estimate of memory that is shown before a run starts, against what the run takes.

    swift build -c release --product tuneboard
    python Tests/Benchmarks/memory_plan.py [--only dpo] [--program PATH]

Eleven combinations of stage, method and model size: `tuneboard train --plan --json` is asked first, then a few steps are trained and
the process's peak of resident memory is read. Models have random weights and the demo model's tokenizer; rows are of mixed length.
Printed are a table and a JSON line; the exit code is 1 when an estimate is more than 10 % off. torch and safetensors write the models.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
SIZES = {
    "30M": dict(hidden_size=512, intermediate_size=1408, num_hidden_layers=9, num_attention_heads=8, num_key_value_heads=4, head_dim=64),
    "110M": dict(hidden_size=768, intermediate_size=2048, num_hidden_layers=16, num_attention_heads=12, num_key_value_heads=4, head_dim=64),
}
LORA = dict(finetuning_type="lora", lora_target="all", lora_rank=8)
CASES = {
    "sft lora": ("110M", dict(stage="sft", dataset="rows", **LORA)),
    "sft lora, recomputed": ("30M", dict(stage="sft", dataset="rows", gradient_checkpointing="true", **LORA)),
    "sft full": ("110M", dict(stage="sft", dataset="rows", finetuning_type="full")),
    "sft full, small": ("30M", dict(stage="sft", dataset="rows", finetuning_type="full")),
    "sft qlora": ("110M", dict(stage="sft", dataset="rows", quantization_bit=4, **LORA)),
    "rm lora": ("110M", dict(stage="rm", dataset="pairs", **LORA)),
    "rm lora, small": ("30M", dict(stage="rm", dataset="pairs", **LORA)),
    "dpo lora": ("110M", dict(stage="dpo", dataset="pairs", **LORA)),
    "dpo lora, small": ("30M", dict(stage="dpo", dataset="pairs", **LORA)),
    "kto lora": ("110M", dict(stage="kto", dataset="judged", **LORA)),
    "ppo lora": ("30M", dict(stage="ppo", dataset="questions", max_new_tokens=64, reward_model="{rm lora, small}", **LORA)),
}


def make_model(folder, size):
    import torch
    from safetensors.torch import save_file

    demo = os.path.join(ROOT, "saves", "demo-model")
    with open(os.path.join(demo, "config.json")) as file:
        config = dict(json.load(file), **SIZES[size])
    config.update(max_position_embeddings=4096)
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    for name in os.listdir(demo):
        if name.startswith("tokenizer") or name == "generation_config.json":
            with open(os.path.join(demo, name), "rb") as source, open(os.path.join(folder, name), "wb") as target:
                target.write(source.read())
    torch.manual_seed(0)
    hidden, inner, width = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * width, config["num_key_value_heads"] * width
    tensors = {}

    def matrix(name, rows, columns):
        tensors[name] = (torch.randn(rows, columns) * 0.02).to(torch.bfloat16)

    matrix("model.embed_tokens.weight", config["vocab_size"], hidden)
    tensors["model.norm.weight"] = torch.ones(hidden, dtype=torch.bfloat16)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        for name, rows, columns in (("self_attn.q_proj", queries, hidden), ("self_attn.k_proj", keys, hidden),
                                    ("self_attn.v_proj", keys, hidden), ("self_attn.o_proj", hidden, queries),
                                    ("mlp.gate_proj", inner, hidden), ("mlp.up_proj", inner, hidden), ("mlp.down_proj", hidden, inner)):
            matrix(prefix + name + ".weight", rows, columns)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[prefix + name + ".weight"] = torch.ones(hidden, dtype=torch.bfloat16)
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})


def make_data(folder):
    generator = random.Random(3)
    words = "the river runs slowly through a quiet valley where old mills grind corn for every village on its way to the sea".split()

    def text(mean):
        return " ".join(generator.choice(words) for _ in range(max(3, min(400, round(generator.lognormvariate(0, 0.6) * mean)))))

    os.makedirs(folder)
    rows = [dict(instruction=text(40), output=text(120)) for _ in range(96)]
    pairs = [dict(instruction=text(40), chosen=text(100), rejected=text(100)) for _ in range(96)]
    judged = [dict(conversations=[{"from": "human", "value": text(40)}, {"from": "gpt", "value": text(100)}], liked=index % 2 == 0)
              for index in range(96)]
    questions = [dict(instruction=text(40), output="") for _ in range(96)]
    info = {}
    for name, list_ in (("rows", rows), ("pairs", pairs), ("judged", judged), ("questions", questions)):
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump(list_, file)
        info[name] = {"file_name": name + ".json"}
    info["pairs"].update(ranking=True, columns={"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"})
    info["judged"].update(formatting="sharegpt", columns={"messages": "conversations", "kto_tag": "liked"})
    with open(os.path.join(folder, "dataset_info.json"), "w") as file:
        json.dump(info, file)


def peak_of(command):
    """Peak of resident memory of a process, which ends well."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read()[-4000:]}")
        return usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, ".build", "release", "tuneboard"))
    parser.add_argument("--only", action="append", help="cases whose name contains this (repeatable)")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--folder", help="keep models, data and runs here")
    parser.add_argument("--make-model", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make_model:
        return make_model(*options.make_model)

    work = options.folder or tempfile.mkdtemp(prefix="tuneboard-memory-")
    if not os.path.exists(os.path.join(work, "data")):
        make_data(os.path.join(work, "data"))
    table, done = [], {}
    for name, (size, more) in CASES.items():
        wanted = not options.only or any(part in name for part in options.only)
        if not wanted and not (name == "rm lora, small" and any("ppo" in part for part in options.only or [])):
            continue
        model = os.path.join(work, size)
        if not os.path.exists(model):
            # A process of its own: what it takes must not be counted as the program's.
            subprocess.run([sys.executable, os.path.abspath(__file__), "--make-model", model, size], check=True)
        output = os.path.join(work, "runs", name.replace(",", "").replace(" ", "-"))
        settings = dict(model_name_or_path=model, do_train="true", dataset_dir=os.path.join(work, "data"), template="chatml", cutoff_len=512,
                        output_dir=output, overwrite_output_dir="true", per_device_train_batch_size=4, gradient_accumulation_steps=1,
                        max_steps=options.steps, logging_steps=1, learning_rate=1e-5, plot_loss="false",
                        **{key: done.get(str(value).strip("{}"), value) for key, value in more.items()})
        command = [options.program, "train", "--json"] + [f"{key}={value}" for key, value in settings.items()]
        planned = subprocess.run(command + ["--plan"], capture_output=True, text=True)
        if planned.returncode != 0:
            sys.exit(f"{name}: the plan failed:\n{planned.stdout[-2000:]}{planned.stderr[-2000:]}")
        plan = json.loads([line for line in planned.stdout.splitlines() if "peak_bytes" in line][-1])
        plan = plan.get("plan", plan)
        peak = peak_of(command)
        done[name] = output
        row = dict(case=name, size=size, planned_mib=round(plan["peak_bytes"] / 2**20, 1), measured_mib=round(peak / 2**20, 1),
                   ratio=round(plan["peak_bytes"] / peak, 3),
                   parts={part: round(value / 2**20, 1) for part, value in plan["memory"].items()})
        table.append(row)
        print(f"{name:28} {size:>5}  planned {row['planned_mib']:8.1f} MiB  measured {row['measured_mib']:8.1f} MiB  "
              f"ratio {row['ratio']:.3f}  {row['parts']}", flush=True)
    worst = max(abs(row["ratio"] - 1) for row in table)
    print(json.dumps({"bar": "memory estimate", "cases": len(table), "worst": round(worst, 3), "holds": worst <= 0.1}))
    sys.exit(worst > 0.1)


if __name__ == "__main__":
    main()
