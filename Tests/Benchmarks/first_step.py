"""From exec to the first logged step: `tuneboard train` on the demo model, and llamafactory-cli on a model of the same size.

    python3 Tests/Benchmarks/first_step.py --program .build/release/tuneboard [--peer PATH/llamafactory-cli] [--rounds N]

Each round is a process of its own; the clock stops when the first line stands in trainer_log.jsonl. Prints one JSON line.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--program", default=".build/release/tuneboard")
parser.add_argument("--peer")
parser.add_argument("--rounds", type=int, default=5)
arguments = parser.parse_args()
root = Path(__file__).resolve().parent.parent.parent
program = str(Path(arguments.program).resolve())


def first_line(command: list[str], output: Path, folder: Path, limit: float) -> float:
    """Seconds until the first line of the log; the run is ended then."""
    shutil.rmtree(output, ignore_errors=True)
    log = output / "trainer_log.jsonl"
    start = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "DISABLE_VERSION_CHECK": "1", "HF_HUB_OFFLINE": "1"})
    try:
        while time.monotonic() - start < limit:
            try:
                if b"\n" in log.read_bytes():
                    return time.monotonic() - start
            except OSError:
                pass
            if process.poll() not in (None, 0):
                raise SystemExit(f"{command[0]} failed: {process.stderr.read().decode(errors='replace')[-800:]}")
            time.sleep(0.001)
        raise SystemExit(f"{command[0]}: no step within {limit} s")
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    shutil.copytree(root / "recipes", folder / "recipes")
    (folder / "saves").mkdir()
    shutil.copytree(root / "saves" / "demo-model", folder / "saves" / "demo-model")
    output = folder / "out"
    common = ["logging_steps=1", "max_steps=3", f"output_dir={output}"]
    ours = [program, "train", "recipes/quickstart.yaml", *common, "overwrite_output_dir=true"]
    times, peers = [], []
    for round in range(arguments.rounds + 1):
        seconds = first_line(ours, output, folder, 60)
        if round:
            times.append(seconds)
        if arguments.peer and round < min(3, arguments.rounds):
            peers.append(first_line([arguments.peer, "train", "recipes/quickstart.yaml", *common, "overwrite_output_dir=true"], output, folder, 300))
    result = {"case": "first-step", "first_logged_step_ms": 1000 * statistics.median(times), "slowest_ms": 1000 * max(times)}
    if peers:
        result["llamafactory_ms"] = 1000 * statistics.median(peers)
        result["ratio"] = statistics.median(peers) / statistics.median(times)
    print(json.dumps(result))
