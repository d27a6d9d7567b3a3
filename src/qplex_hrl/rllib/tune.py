"""One training per seed, by Ray Tune: a grid of runs, stop criteria, best checkpoints."""

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from camsim.files import atomic_write_json
from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.metrics import finite_or_none
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.rllib.cluster import check_ray, cluster
from qplex_hrl.runtime.devices import resolve_device
from qplex_hrl.runtime.exit_codes import DONE, FAILED
from qplex_hrl.training.trainer import check_trackers

__all__ = ["STOPPABLE", "SUMMARY", "tune_seeds"]

STOPPABLE = ("mean_coverage_rate", "best_coverage", "timestep", "n_updates", "time_total_s")
"""Results that can stop a run when they reach a value."""

SUMMARY = "tune_results.json"
METRIC = "mean_coverage_rate"
_MOST_FAILURES = 3  # of a trial, which goes on from its newest checkpoint

_LOG = logging.getLogger(__name__)


def tune_seeds(
    config: RunConfig,
    seeds: Sequence[int],
    stop: Mapping[str, float],
    address: str | None = None,
) -> int:
    """Train once per seed; return 0, or 1 if a run failed.

    Everything goes to ``logging.log_dir``: a folder ``seed_<n>`` per run with the files of a run
    and Tune's own, and a summary of all.

    Args:
        config: of every run but for its seed.
        seeds: one run each; in a cluster of this machine alone they run one after the other.
        stop: a run ends when one of these results reaches its value.
        address: of an existing cluster; None: RAY_ADDRESS, else this machine alone.

    Raises:
        ClusterError: Ray is not installed, or the cluster does not start.
        ValueError: nothing can be stopped by such a result, the folder holds earlier runs, or there
            are no such initial weights.
    """
    for name in stop:
        if name not in STOPPABLE:
            raise ValueError(f"--stop {name}: expected one of {', '.join(STOPPABLE)}")
    folder = Path(config.logging.log_dir).resolve()
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: holds earlier runs; choose another --log-dir")
    check_trackers(config)
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # our own TensorBoard events suffice
    check_ray()
    from qplex_hrl.rllib_policy import sharded

    runs = [_with_seed(sharded(config), seed) for seed in seeds]
    resolve_device(config.training.device)
    if config.training.initial_weights is not None:
        load_policy(Path(config.training.initial_weights))  # fails here, not in every trial
    alone = address is None and not os.environ.get("RAY_ADDRESS")
    with cluster(config, address):
        results = _fit(runs, dict(stop), folder, at_once=1 if alone else None)
    rows = [_row(run, result) for run, result in zip(runs, results, strict=True)]
    atomic_write_json(folder / SUMMARY, {"metric": METRIC, "runs": rows})
    _print(rows, folder)
    return FAILED if any(row["error"] for row in rows) else DONE


def _with_seed(config: RunConfig, seed: int) -> RunConfig:
    content = config.model_dump(mode="json")
    training = content["training"]
    training["seed"] = seed
    if training["initial_weights"] is not None:  # trials work in folders of their own
        training["initial_weights"] = str(Path(training["initial_weights"]).resolve())
    return RunConfig.model_validate(content)


# Any: Ray's classes are not typed.
def _fit(runs: Sequence[RunConfig], stop: dict[str, float], folder: Path, at_once: Any) -> Any:
    """Run all trials; return Tune's results in the order of ``runs``."""
    from ray import tune
    from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback

    from qplex_hrl.rllib_policy import QPLEXHRL, QPLEXHRLConfig

    settings = QPLEXHRLConfig()
    settings.run_settings = tune.grid_search([run.model_dump(mode="json") for run in runs])

    class Progress(tune.Callback):  # type: ignore[misc]
        """Says where the trials stand whenever one was evaluated."""

        def on_trial_result(self, **info: Any) -> None:
            result = info["result"]
            if result.get("should_checkpoint"):
                line = "%s: timestep %d, %s %.4f"
                _LOG.warning(line, info["trial"], result["timestep"], METRIC, result[METRIC])

    tuner = tune.Tuner(
        QPLEXHRL,
        param_space=settings,
        tune_config=tune.TuneConfig(
            max_concurrent_trials=at_once,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=folder.name,
            storage_path=str(folder.parent),
            stop=stop,
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=1,
                checkpoint_score_attribute=METRIC,
                checkpoint_score_order="max",
                checkpoint_at_end=False,
            ),
            failure_config=tune.FailureConfig(max_failures=_MOST_FAILURES),
            callbacks=[JsonLoggerCallback(), CSVLoggerCallback(), Progress()],
        ),
    )
    return tuner.fit()


def _name(trial: Any) -> str:
    return f"seed_{trial.config['run_settings']['training']['seed']}"


def _row(run: RunConfig, result: Any) -> dict[str, Any]:
    """Return what the summary says of a run."""
    metrics = result.metrics or {}
    best = max(
        ((kept[METRIC], checkpoint.path) for checkpoint, kept in result.best_checkpoints),
        default=(None, None),
    )
    folder = Path(result.path)
    final = folder / "final_eval_results.json"
    return {
        "seed": run.training.seed,
        "folder": folder.name,
        "timestep": metrics.get("timestep"),
        "best_coverage": finite_or_none(metrics.get("best_coverage", math.nan)),
        "final_coverage": _coverage(final) if final.exists() else None,
        "best_checkpoint": best[1] and str(Path(best[1]).relative_to(folder.parent)),
        "error": " ".join(str(result.error).split()) if result.error else None,
    }


def _coverage(path: Path) -> float:
    return float(json.loads(path.read_text(encoding="utf-8"))[METRIC])


def _print(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    table = Table(title=Text(str(folder)))
    for name in ("seed", "timestep", "best_coverage", "final_coverage", "best_checkpoint", "error"):
        table.add_column(name)
    for row in rows:
        values = (row[column.header] for column in table.columns if isinstance(column.header, str))
        table.add_row(*(Text("" if value is None else f"{value}") for value in values))
    Console().print(table)
