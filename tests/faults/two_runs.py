"""Two trainings in the same folders at once."""

import random
import re
import time
from pathlib import Path

from faults.harness import Bench, Command, FaultShows, Outcome, last_line


def two_runs(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Start a second training with the same folders, or only the same models: it is refused."""
    second_place = folder / "second"
    second_place.mkdir()
    logs = rng.choice(["../logs", "logs"])
    first = bench.start(bench.train(), folder)
    time.sleep(rng.uniform(0, bench.reference.seconds / 2))
    more = ["--log-dir", logs, "--model-dir", "../models"]
    second = bench.start(bench.train(*more), second_place)
    codes = first.end(), second.end()
    if codes == (0, 2):
        bench.check_run(folder)
    elif codes == (2, 0):
        if logs == "logs":
            (second_place / "logs").rename(folder / "logs")
        bench.check_run(folder)
    elif codes == (0, 0) and _times(first)[-1] <= _times(second)[0]:
        return Outcome.TOO_LATE  # the first had ended when the second one came
    else:
        errors = [last_line(each.errors) for each in (first, second)]
        raise FaultShows(Outcome.LOST, f"exit codes {codes}: {errors}")
    return Outcome.IDENTICAL


def _times(command: Command) -> list[str]:
    """Return the times that stand before the lines of a run's log."""
    return re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ", command.errors, re.MULTILINE)
