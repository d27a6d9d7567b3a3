"""Inject faults into real commands and print what became of them.

python tests/faults/run.py --faults 500 --seed 0 --output table.md
"""

import argparse
import math
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from faults.harness import GOOD, Bench, Fault, FaultShows, Outcome, Verdict  # noqa: E402
from faults.kinds import ALL_KINDS, KINDS, possible  # noqa: E402
from faults.ray_faults import RAY_KINDS, ray_is_installed  # noqa: E402


def inject(bench: Bench, fault: Fault) -> Verdict:
    """Inject one fault; its folder stays if it shows."""
    folder = bench.folder / f"{fault.kind}-{fault.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    begin = time.monotonic()
    outcome, detail = _judged(bench, fault, folder)
    if outcome in GOOD:
        shutil.rmtree(folder)
    return Verdict(fault, outcome, detail, folder, time.monotonic() - begin)


def _judged(bench: Bench, fault: Fault, folder: Path) -> tuple[Outcome, str]:
    try:
        outcome = ALL_KINDS[fault.kind](bench, random.Random(f"{fault.kind} {fault.seed}"), folder)
    except FaultShows as shown:
        return shown.outcome, shown.detail
    except Exception as error:  # the suite's own: a verdict too, so that the other faults go on
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return Outcome.HARNESS, text
    return outcome, ""


def table(verdicts: Sequence[Verdict]) -> str:
    """Return kinds by outcomes in Markdown, the sum last."""
    counts = Counter((verdict.fault.kind, verdict.outcome) for verdict in verdicts)
    kinds = list(dict.fromkeys(verdict.fault.kind for verdict in verdicts))
    lines = [
        "| fault | tried | "
        + " | ".join(outcome.value for outcome in Outcome)
        + " | seconds each |",
        "|---" * (len(Outcome) + 3) + "|",
    ]
    rows = {kind: [counts[kind, outcome] for outcome in Outcome] for kind in kinds}
    rows["**all**"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    late = list(Outcome).index(Outcome.TOO_LATE)
    for kind, row in rows.items():
        seconds = [each.seconds for each in verdicts if kind in (each.fault.kind, "**all**")]
        cells = [kind, sum(row) - row[late], *row, f"{mean(seconds):.1f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def sample(n_faults: int, seed: int, kinds: Sequence[str]) -> list[Fault]:
    """Return that many faults, all kinds in turn."""
    return [Fault(kinds[i % len(kinds)], seed + i // len(kinds)) for i in range(n_faults)]


def _tell(verdict: Verdict | None) -> Verdict | None:
    """Print how to repeat a fault that shows."""
    if verdict is not None and verdict.outcome not in GOOD:
        fault = verdict.fault
        print(f"{fault.kind}, seed {fault.seed}: {verdict.outcome.value}: {verdict.detail}")
        again = f"--faults 1 --kinds {fault.kind} --seed {fault.seed}"
        print(f"  again: python tests/faults/run.py {again}; files: {verdict.folder}", flush=True)
    return verdict


def main() -> int:
    """Return 1 if a fault shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first fault of each kind")
    parser.add_argument("--kinds", nargs="+", choices=ALL_KINDS, default=possible())
    parser.add_argument(
        "--ray", dest="kinds", action="store_const", const=list(RAY_KINDS), help="the kinds of Ray"
    )
    parser.add_argument("--minutes", type=float, help="begin no fault after so many minutes")
    parser.add_argument("--jobs", type=int, default=1, help="faults at once")
    parser.add_argument("--output", type=Path, help="write the table there, too")
    args = parser.parse_args()
    if RAY_KINDS.keys() & set(args.kinds) and not ray_is_installed():
        parser.error('faults of Ray need ray[rllib,tune]: pip install "qplex-hrl[ray]"')
    for kind in KINDS.keys() - possible():
        print(f"left out: {kind}: mounting is not permitted; `unshare -rm` gives a shell that may")
    bench = Bench(Path(tempfile.mkdtemp(prefix="faults-")))
    end = math.inf if args.minutes is None else time.monotonic() + 60 * args.minutes
    faults = sample(args.faults, args.seed, args.kinds)
    with ThreadPoolExecutor(args.jobs) as pool:  # a thread waits for the processes of one fault
        results = pool.map(
            lambda fault: inject(bench, fault) if time.monotonic() < end else None, faults
        )
        verdicts = [verdict for verdict in map(_tell, results) if verdict is not None]
    print(text := table(verdicts))
    if args.output is not None:
        args.output.write_text(text + "\n", encoding="utf-8")
    bad = any(verdict.outcome not in GOOD for verdict in verdicts)
    if not bad:
        shutil.rmtree(bench.folder)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
