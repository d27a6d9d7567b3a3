"""Inject faults into real commands and print what became of them.

python tests/faults/run.py --faults 500 --seed 0 --output table.md
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from faults.harness import GOOD, Bench, Fault, FaultShows, Outcome, Verdict  # noqa: E402
from faults.kinds import KINDS, possible  # noqa: E402


def inject(bench: Bench, fault: Fault) -> Verdict:
    """Inject one fault; its folder stays if it shows."""
    folder = bench.folder / f"{fault.kind}-{fault.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        outcome = KINDS[fault.kind](bench, random.Random(f"{fault.kind} {fault.seed}"), folder)
    except FaultShows as shown:
        return Verdict(fault, shown.outcome, shown.detail, folder)
    shutil.rmtree(folder)
    return Verdict(fault, outcome, "", folder)


def table(verdicts: Sequence[Verdict]) -> str:
    """Return kinds by outcomes in Markdown, the sum last."""
    counts = Counter((verdict.fault.kind, verdict.outcome) for verdict in verdicts)
    kinds = list(dict.fromkeys(verdict.fault.kind for verdict in verdicts))
    lines = [
        "| fault | tried | " + " | ".join(outcome.value for outcome in Outcome) + " |",
        "|---" * (len(Outcome) + 2) + "|",
    ]
    for kind in kinds:
        row = [counts[kind, outcome] for outcome in Outcome]
        lines.append(f"| {kind} | {sum(row)} | " + " | ".join(map(str, row)) + " |")
    sums = [sum(counts[kind, outcome] for kind in kinds) for outcome in Outcome]
    lines.append(f"| **all** | {sum(sums)} | " + " | ".join(map(str, sums)) + " |")
    return "\n".join(lines)


def sample(n_faults: int, seed: int, kinds: Sequence[str]) -> list[Fault]:
    """Return that many faults, all kinds in turn."""
    return [Fault(kinds[i % len(kinds)], seed + i // len(kinds)) for i in range(n_faults)]


def main() -> int:
    """Return 1 if a fault shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first fault of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=possible())
    parser.add_argument("--minutes", type=float, help="begin no fault after so many minutes")
    parser.add_argument("--output", type=Path, help="write the table there, too")
    args = parser.parse_args()
    for kind in KINDS.keys() - possible():
        print(f"left out: {kind}: mounting is not permitted; `unshare -rm` gives a shell that may")
    bench = Bench(Path(tempfile.mkdtemp(prefix="faults-")))
    verdicts = []
    begin = time.monotonic()
    for fault in sample(args.faults, args.seed, args.kinds):
        if args.minutes is not None and time.monotonic() - begin > 60 * args.minutes:
            break
        verdicts.append(verdict := inject(bench, fault))
        if verdict.outcome not in GOOD:
            print(f"{fault.kind}, seed {fault.seed}: {verdict.outcome.value}: {verdict.detail}")
            again = f"--faults 1 --kinds {fault.kind} --seed {fault.seed}"
            print(
                f"  again: python tests/faults/run.py {again}; files: {verdict.folder}", flush=True
            )
    print(text := table(verdicts))
    if args.output is not None:
        args.output.write_text(text + "\n", encoding="utf-8")
    bad = any(verdict.outcome not in GOOD for verdict in verdicts)
    if not bad:
        shutil.rmtree(bench.folder)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
