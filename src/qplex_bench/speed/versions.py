"""Versions of this project to measure beside each other: this one, and a revision of git."""

import io
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

VIEWS = {"own": "", "shared": "_shared"}
"""Names of the cameras' views, and how they end the names of shipped configurations."""

ROOT = Path(__file__).resolve().parents[3]
"""Of the checkout that this package belongs to."""


class Version(NamedTuple):
    """A checkout."""

    name: str
    root: Path  # holds src, configs and runners


class ShippedCase(NamedTuple):
    """A world with its shipped configuration."""

    scenario: str
    view: str

    def config(self, version: Version) -> Path:
        """Return the configuration that a version ships for it.

        Raises:
            ValueError: there is none.
        """
        sizes = self.scenario.removeprefix("MATE-").replace("-", "_")
        path = version.root / "configs" / f"qplex_hrl_{sizes}{VIEWS[self.view]}.yaml"
        if not path.is_file():
            raise ValueError(
                f"--scenarios {self.scenario}, --views {self.view}: version {version.name!r} "
                f"ships no configs/{path.name}"
            )
        return path


class Measures(NamedTuple):
    """What is measured: the columns of a table."""

    names: Mapping[str, str]  # key of a sample, and its column's heading
    more_is_better: frozenset[str] = frozenset()
    digits: int = 1


Sample = Mapping[str, float]


@contextmanager
def versions(baseline: str | None) -> Iterator[list[Version]]:
    """Give this version, after that of a revision if there is one.

    The revision's files are unpacked into a temporary folder, which is removed at the end. The
    repository itself is only read.

    Args:
        baseline: a revision of git.

    Raises:
        ValueError: there is no such revision, or this is no checkout.
    """
    ours = Version("this", ROOT)
    if baseline is None:
        yield [ours]
        return
    with tempfile.TemporaryDirectory(prefix="qplex-hrl-baseline-") as folder:
        with zipfile.ZipFile(io.BytesIO(_archive(baseline))) as files:
            files.extractall(folder)
        yield [Version(baseline, Path(folder)), ours]


def _archive(baseline: str) -> bytes:
    """Return the files of a revision as a zip archive."""
    result = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=zip", baseline],
        capture_output=True,
        check=False,
    )
    if result.returncode:
        reason = result.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ValueError(f"--baseline {baseline}: {reason[-1]}")
    return result.stdout


def python() -> Path:
    """Return the interpreter of all versions: this one."""
    return Path(sys.executable)


def new_table(title: str, measures: Measures) -> Table:
    """Return a table without rows."""
    table = Table(title=title)
    for name in ("scenario", "view", "version"):
        table.add_column(name)
    for name in measures.names.values():
        table.add_column(name, justify="right")
    return table


def add_rows(
    table: Table, case: ShippedCase, samples: Mapping[str, Sequence[Sample]], measures: Measures
) -> None:
    """Add a row of medians per version, and one of ratios if there are two.

    A ratio is the median over pairs of samples taken in turn; above 1, this version is better.

    Args:
        table: made by ``new_table``.
        case: what the samples are of.
        samples: of every version, equally many; a baseline before this one.
        measures: the columns; a version may lack some.
    """
    for name, taken in samples.items():
        cells = [_median([each.get(key) for each in taken]) for key in measures.names]
        digits = measures.digits
        table.add_row(*case, name, *("" if x is None else f"{x:,.{digits}f}" for x in cells))
    if len(samples) == 2:
        pairs = list(zip(*samples.values(), strict=True))
        ratios = [
            _median([_ratio(pair, key, more=key in measures.more_is_better) for pair in pairs])
            for key in measures.names
        ]
        table.add_row(*case, "ratio", *("" if x is None else f"{x:.2f}x" for x in ratios))


def _ratio(pair: tuple[Sample, Sample], key: str, *, more: bool) -> float | None:
    """Return how many times better the second sample is, None if one has no value."""
    before, now = (each.get(key) for each in pair)
    if not before or not now:
        return None
    return now / before if more else before / now


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
