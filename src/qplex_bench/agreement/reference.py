"""Scripted teams against upstream MATE: means of whole episodes and their errors, in one table."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.schema import load_scenario
from camsim.tables import EPISODE_COLUMNS

SHIPPED = Path(__file__).with_name("reference_stats.json")
"""Means and standard errors of episodes recorded from upstream."""

LIMIT = 3.0
"""Largest difference, in combined standard errors."""

JUDGED = ("coverage_rate", "mean_transport_rate", "episode_length", "camera_team_return")
"""Metrics that must agree; `real_coverage_rate` is shown only."""

_METRICS = (JUDGED[0], "real_coverage_rate", *JUDGED[1:])
_MAX_ENVS = 128  # episodes that run in parallel


class Mean(NamedTuple):
    """A mean and its standard error."""

    mean: float
    se: float


class Row(NamedTuple):
    """One metric of two teams in a scenario: ours and upstream's."""

    scenario: str
    cameras: str
    targets: str
    metric: str
    ours: Mean
    upstream: Mean

    @property
    def difference(self) -> float:
        """Ours minus upstream's, in combined standard errors."""
        gap = self.ours.mean - self.upstream.mean
        error = math.hypot(self.ours.se, self.upstream.se)
        return gap / error if error > 0 else (0.0 if gap == 0 else math.copysign(math.inf, gap))

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the limit, or is not judged."""
        return self.metric not in JUDGED or abs(self.difference) <= LIMIT


# Any: a JSON object of numbers, lists and text.
def load_reference(path: Path | None = None) -> dict[str, Any]:
    """Return upstream's statistics; the shipped ones if no path is given.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON, or lacks what is compared.
    """
    source = path or SHIPPED
    try:
        content: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
        wanted = ("scenario", "camera_agent", "target_agent")
        for entry in content["entries"]:
            _ = [entry[key] for key in wanted], [entry[name]["se"] for name in _METRICS]
        int(content["max_episode_steps"])
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{source}: not JSON: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source}: not a file of reference statistics ({error})") from error
    return content


def play_entry(
    entry: dict[str, Any], max_episode_steps: int, seeds: NDArray[np.uint64]
) -> list[Row]:
    """Return all metrics of one pair of teams, from one episode of ours per seed [M]."""
    env = ScriptedEnv(
        load_scenario(entry["scenario"]),
        min(_MAX_ENVS, len(seeds)),
        camera_policy=entry["camera_agent"],
        target_policy=entry["target_agent"],
        max_episode_steps=max_episode_steps,
    )
    columns = dict(zip(EPISODE_COLUMNS, env.run_episodes(seeds).T, strict=True))
    samples = {
        "coverage_rate": columns["coverage_sum"] / columns["length"],
        "real_coverage_rate": columns["real_coverage_sum"] / columns["length"],
        "mean_transport_rate": columns["mean_transport_rate"],
        "episode_length": columns["length"],
        "camera_team_return": columns["camera_return"],
    }
    names = (entry["scenario"], entry["camera_agent"], entry["target_agent"])
    return [
        Row(
            *names,
            metric,
            Mean(float(sample.mean()), float(sample.std(ddof=1) / math.sqrt(len(sample)))),
            Mean(entry[metric]["mean"], entry[metric]["se"]),
        )
        for metric, sample in samples.items()
    ]


def reference_rows(reference: dict[str, Any], seeds: NDArray[np.uint64]) -> Iterator[Row]:
    """Yield every metric of every entry."""
    for entry in reference["entries"]:
        yield from play_entry(entry, int(reference["max_episode_steps"]), seeds)


def compare_with_reference(reference: dict[str, Any], seeds: NDArray[np.uint64]) -> int:
    """Print the table; return 1 if a judged metric is beyond the limit, else 0."""
    table = Table(title=f"{len(seeds)} episodes of ours against upstream's, mean ± standard error")
    for name in ("scenario", "cameras", "targets", "metric"):
        table.add_column(name)
    for name in ("ours", "upstream", "difference / se", ""):
        table.add_column(name, justify="right")
    failed = False
    for row in reference_rows(reference, seeds):
        failed |= not row.agrees
        verdict = "" if row.agrees else "beyond 3"
        table.add_row(
            *row[:4],
            *(f"{value.mean:.4g} ± {value.se:.2g}" for value in (row.ours, row.upstream)),
            f"{row.difference:+.2f}",
            verdict,
            end_section=row.metric == _METRICS[-1],
        )
    Console(width=130).print(table)
    return int(failed)
