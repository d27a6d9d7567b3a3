"""Sends inputs that nobody should send, and prints what became of them.

Every input follows from kind, seed and index: `--kinds checkpoint --seed 0 --index 17` tries one
again in this process, with its traceback. The exit code is 1 if anything bad came.
"""

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parents[1] / "src")]
KINDS = (
    "configuration",
    "build",
    "scenario",
    "checkpoint",
    "trace",
    "messages",
    "doors",
    "commands",
)
COLUMNS = ("tried", "refused", "accepted", "traceback", "crash", "slow", "big", "wrong")
_SHOWN = 12  # different failures of a kind


def main() -> int:
    """Try the inputs that the flags ask for; return the exit code."""
    args = _arguments()
    kinds = KINDS if args.kinds == ["all"] else tuple(args.kinds)
    if args.index is not None:
        return _again(kinds[0], args.seed, args.index)
    from worker import BAD, run_kind

    heads = "".join(f"{name:>11}" for name in (*COLUMNS, "seconds"))
    print(f"{'kind':<14}{heads}", flush=True)
    failures = []
    for kind in kinds:
        started = time.monotonic()
        tally = run_kind(kind, args.seed, range(args.first, args.first + args.inputs), args.seconds)
        row = {"tried": sum(tally.counts.values())} | tally.counts
        cells = "".join(f"{row.get(name, 0):>11}" for name in COLUMNS)
        print(f"{kind:<14}{cells}{time.monotonic() - started:>11.0f}", flush=True)
        failures += [(kind, outcome) for outcome in tally.bad if outcome.what in BAD]
    _print_failures(failures, args.seed)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--kinds", nargs="+", default=["all"], choices=("all", *KINDS))
    add("--inputs", type=int, default=1000, help="of each kind")
    add("--first", type=int, default=0, help="index of the first one")
    add("--seconds", type=float, default=float("inf"), help="stop each kind after so many")
    add("--seed", type=int, default=0)
    add("--index", type=int, help="try this one alone, in this process")
    return parser.parse_args()


def _again(kind: str, seed: int, index: int) -> int:
    import tempfile

    from worker import input_rng, load_kind

    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        os.chdir(name)
        tried = load_kind(kind, Path(name))
        made = tried.make(input_rng(kind, seed, index))
        print(repr(made)[:3000])
        tried.attempt(made)
    print("accepted")
    return 0


def _print_failures(failures: list, seed: int) -> None:
    """Print one failure of each sort, and how many there are."""
    sorts: dict[tuple[str, str, str], list] = {}
    for kind, outcome in failures:
        last = outcome.reason.strip().splitlines()[-1:] or [""]
        sorts.setdefault((kind, outcome.what, last[0][:60]), []).append(outcome)
    shown: dict[str, int] = {}
    print(f"\n{len(failures)} bad outcomes of {len(sorts)} sorts" if failures else "\nnothing bad")
    for (kind, what, _), outcomes in sorted(sorts.items(), key=lambda item: -len(item[1])):
        shown[kind] = shown.get(kind, 0) + 1
        if shown[kind] > _SHOWN:
            continue
        first = outcomes[0]
        figures = f"{first.seconds} s, {first.megabytes} MB"
        print(f"\n{kind}: {what} x {len(outcomes)}; --seed {seed} --index {first.index}; {figures}")
        print("    " + "\n    ".join(first.reason.splitlines()))


if __name__ == "__main__":
    sys.exit(main())
