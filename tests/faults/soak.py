"""Train the shipped configuration for an hour and watch what grows.

python tests/faults/soak.py --minutes 60
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
EVERY = 10.0
MOST_GROWTH, MOST_DROP = 0.01, 0.05
WARM_UP = 500_000
"""Frames until memory is as large as it will be: the replay is full after 50,000, and ten
evaluations and ten checkpoints, with a video among them, are over. Measuring begins there."""


@dataclass(frozen=True)
class Sample:
    """What a process holds at a moment."""

    seconds: float
    timestep: int
    rss_mb: float
    anonymous_mb: float
    descriptors: int
    threads: int
    shared_segments: int


def take(pid: int, metrics: Path, begin: float) -> Sample:
    """Return what the process holds now."""
    process = Path(f"/proc/{pid}")
    rollup = _kilobytes(process / "smaps_rollup")
    return Sample(
        seconds=round(time.monotonic() - begin, 1),
        timestep=_timestep(metrics),
        rss_mb=rollup["Rss"] / 1024,
        anonymous_mb=rollup["Anonymous"] / 1024,  # its own, without files that others map, too
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        shared_segments=len(segments(pid)),
    )


def segments(pid: int) -> set[Path]:
    """Return the files of shared memory that a process maps; deleted ones have a name as well."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return {Path("/dev/shm", name) for name in re.findall(r" /dev/shm/(.+)", maps)}


def _kilobytes(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[-1] == "kB"}


def _timestep(metrics: Path) -> int:
    """Return the newest timestep of the finished rows."""
    if not metrics.exists():
        return 0
    rows = metrics.read_text(encoding="utf-8").split("\n")[:-1]
    return max((int(json.loads(row)["timestep"]) for row in rows[-8:]), default=0)


def judge(samples: Sequence[Sample]) -> list[tuple[str, str, bool]]:
    """Return what was measured after warming up: name, figures, and whether it is in its bound."""
    warm = [each for each in samples if each.timestep >= WARM_UP]
    if len(warm) < 6:
        raise SystemExit(f"{len(warm)} samples after frame {WARM_UP:,}; expected at least 6")
    tenth, third = max(len(warm) // 10, 1), max(len(warm) // 3, 1)
    results = []
    for name in ("rss_mb", "anonymous_mb"):
        first, last = (
            median(getattr(e, name) for e in part) for part in (warm[:tenth], warm[-tenth:])
        )
        growth = last / first - 1
        results.append((name, f"{first:.1f} to {last:.1f}: {growth:+.2%}", growth < MOST_GROWTH))
    for name in ("descriptors", "threads", "shared_segments"):
        first, last = (
            max(getattr(e, name) for e in part) for part in (warm[:third], warm[-third:])
        )
        results.append((name, f"at most {first}, later {last}", last <= first))
    speeds = [_speed(warm[: third + 1]), _speed(warm[-third - 1 :])]
    drop = 1 - speeds[1] / speeds[0]
    text = f"{speeds[0]:,.0f} to {speeds[1]:,.0f}: {-drop:+.2%}"
    results.append(("frames/s", text, drop < MOST_DROP))
    return results


def _speed(part: Sequence[Sample]) -> float:
    return (part[-1].timestep - part[0].timestep) / (part[-1].seconds - part[0].seconds)


def main() -> int:
    """Return 1 if something grows, slows down or leaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    settings = [
        "training.total_timesteps=100000000",
        "logging.log_interval=5000",
        "logging.checkpoint_interval=50000",
        "training.buffer_size=10000",  # full early: its memory is touched as it fills
        "evaluation.eval_interval=50000",
        *args.set,
    ]
    command = [sys.executable, "-m", "qplex_hrl", "train"]
    command += ["--config", str(ROOT / "configs" / "qplex_hrl_4v4_9.yaml")]
    command += ["--log-dir", str(folder / "logs"), "--model-dir", str(folder / "models")]
    command += [word for setting in settings for word in ("--set", setting)]
    print(*[each.name for each in fields(Sample)])
    with (folder / "stderr.txt").open("w") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        )
        samples = _watch(process, folder / "logs" / "metrics.jsonl", args.minutes)
        mapped = segments(process.pid)
        process.send_signal(signal.SIGTERM)
        code = process.wait(120)
    time.sleep(1)  # for the process that removes what this one left
    left = ", ".join(str(path) for path in mapped if path.exists())
    results = [*judge(samples), ("exit code", str(code), code == 130)]
    results.append(("segments left", left or "none", not left))
    for name, text, good in results:
        print(f"{'ok ' if good else 'BAD'} {name}: {text}")
    print(f"files: {folder}")
    return int(not all(good for *_, good in results))


def _watch(process: "subprocess.Popen[bytes]", metrics: Path, minutes: float) -> list[Sample]:
    """Return samples from the first row of metrics on."""
    while not _timestep(metrics):
        if process.poll() is not None:
            raise SystemExit(f"the training ended with exit code {process.returncode}")
        time.sleep(1)
    begin, samples = time.monotonic(), []
    while time.monotonic() - begin < 60 * minutes and process.poll() is None:
        samples.append(take(process.pid, metrics, begin))
        print(*[round(value, 1) for value in astuple(samples[-1])], flush=True)
        time.sleep(EVERY)
    return samples


if __name__ == "__main__":
    sys.exit(main())
