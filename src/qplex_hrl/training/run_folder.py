"""The files of one run: names, keeping earlier runs, going back to a checkpoint, pruning."""

import fcntl
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from camsim.files import atomic_write_bytes, atomic_write_text
from qplex_hrl.config import load_stored_config
from qplex_hrl.runtime.checkpoint import newest_intact

_LOG_OUTPUTS = (
    "config.yaml",
    "training.log",
    "metrics.jsonl",
    "training_stats.json",
    "eval_results_*.json",
    "final_eval_results.json",
    "events.out.tfevents.*",
)
_MODEL_OUTPUTS = ("qplex_hrl_*.pth", "qplex_hrl_*.replay.npz")
_NUMBERED = re.compile(r"(?:qplex_hrl|eval_results)_(\d+)\.(?:pth|replay\.npz|json)")


class RunFolder:
    """Paths of a run's outputs in its log folder and its model folder."""

    def __init__(self, log_dir: Path, model_dir: Path) -> None:
        """Name the folders; nothing is created before ``claim``."""
        self.log_dir = log_dir
        self.model_dir = model_dir

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.log_dir / "config.yaml"

    @property
    def log(self) -> Path:
        """The text log."""
        return self.log_dir / "training.log"

    @property
    def metrics(self) -> Path:
        """One JSON object per logging interval."""
        return self.log_dir / "metrics.jsonl"

    @property
    def stats(self) -> Path:
        """Summary of the whole training."""
        return self.log_dir / "training_stats.json"

    @property
    def final_evaluation(self) -> Path:
        """Evaluation of the final weights."""
        return self.log_dir / "final_eval_results.json"

    @property
    def best(self) -> Path:
        """Checkpoint of the evaluation with the highest coverage."""
        return self.model_dir / "qplex_hrl_best.pth"

    @property
    def final(self) -> Path:
        """Checkpoint at the end of training."""
        return self.model_dir / "qplex_hrl_final.pth"

    def evaluation(self, timestep: int) -> Path:
        """Evaluation during training."""
        return self.log_dir / f"eval_results_{timestep}.json"

    def checkpoint(self, timestep: int) -> Path:
        """Checkpoint during training."""
        return self.model_dir / f"qplex_hrl_{timestep}.pth"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Create the folders, try to write in them, and hold them for this process.

        Raises:
            ValueError: another process trains into the same folder.
            OSError: a folder cannot be created or written, or the disk is full.
        """
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self.model_dir.mkdir(parents=True, exist_ok=True)
        with (self.log_dir / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                msg = f"{self.log_dir}: another training writes here; choose another --log-dir"
                raise ValueError(msg) from None
            for folder in (self.log_dir, self.model_dir):
                _try_writing(folder)
            yield

    def set_earlier_run_aside(self) -> Path | None:
        """Move the outputs of an earlier run into sub-folders ``previous-<time>``.

        Only files with the names of a run's outputs move; everything else stays.

        Returns:
            The folder with the earlier logs, or models if there were no logs; None without such.
        """
        outputs = [path for pattern in _LOG_OUTPUTS for path in self.log_dir.glob(pattern)]
        outputs += [path for pattern in _MODEL_OUTPUTS for path in self.model_dir.glob(pattern)]
        return _set_aside(outputs)

    def rewind(self, timestep: int, pending: int | None = None) -> Path | None:
        """Make the folders those of a run that stands at ``timestep``.

        Later evaluations and checkpoints, and the complete metrics file, move into a sub-folder;
        the metrics file keeps its lines up to ``timestep``.

        Args:
            timestep: where the run goes on.
            pending: timestep of an evaluation that is still to come: its file and its line go, too.

        Returns:
            The sub-folder, None if nothing was later.
        """
        later = [
            path
            for folder in {self.log_dir, self.model_dir}
            for path in folder.iterdir()
            if (match := _NUMBERED.fullmatch(path.name)) and int(match[1]) > timestep
        ]
        again = [] if pending is None else [self.evaluation(pending)]
        later += [p for p in (self.final, self.final_evaluation, *again) if p.exists()]
        kept = None
        if self.metrics.exists():
            lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [
                line
                for line in lines
                if _timestep_of(line) <= timestep
                and not (_timestep_of(line) == pending and '"best_coverage"' in line)
            ]
            if len(kept) == len(lines):
                kept = None
            else:
                later.append(self.metrics)
        folder = _set_aside(later)
        if kept is not None:
            atomic_write_text(self.metrics, "".join(kept))
        return folder

    def checkpoints(self) -> list[Path]:
        """Return the numbered checkpoints, newest first."""
        return _numbered(self.model_dir, ".pth")

    def prune(self, n_kept: int, n_replays: int) -> None:
        """Delete all but the newest ``n_kept`` numbered checkpoints and ``n_replays`` replays."""
        for path in self.checkpoints()[n_kept:]:
            path.unlink()
            replay_beside(path).unlink(missing_ok=True)
        for path in _numbered(self.model_dir, ".replay.npz")[n_replays:]:
            path.unlink()


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint that ``path`` stands for.

    Args:
        path: the checkpoint itself; or a folder of checkpoints, or a log folder: then the newest
            intact checkpoint of that run.

    Raises:
        CheckpointError: there is none.
    """
    if not path.is_dir():
        return path
    resolved = path / "config.yaml"
    if not any(path.glob("*.pth")) and resolved.exists():
        return newest_intact(load_stored_config(resolved).logging.model_dir)
    return newest_intact(path)


def replay_beside(checkpoint: Path) -> Path:
    """Return the path of the replay saved with a checkpoint."""
    return checkpoint.with_suffix(".replay.npz")


def _numbered(folder: Path, ending: str) -> list[Path]:
    """Return the files of ``folder`` with a timestep and ``ending``, latest timestep first."""
    found = [
        (int(match[1]), path)
        for path in folder.glob(f"qplex_hrl_*{ending}")
        if (match := _NUMBERED.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found, reverse=True)]


def _timestep_of(line: str) -> float:
    """Return the timestep of a line of metrics, infinity for a line cut off by a crash."""
    try:
        return float(json.loads(line)["timestep"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _set_aside(paths: list[Path]) -> Path | None:
    """Move each file into the sub-folder ``previous-<time>`` of its folder; return the first."""
    if not paths:
        return None
    name = datetime.now().astimezone().strftime("previous-%Y%m%d-%H%M%S-%f")
    for path in paths:
        folder = path.parent / name
        folder.mkdir(exist_ok=True)
        shutil.move(path, folder / path.name)
    return paths[0].parent / name


def _try_writing(folder: Path) -> None:
    """Write a megabyte to the disk and remove it: a full disk shows before anything is moved."""
    trial = folder / ".trial"
    atomic_write_bytes(trial, bytes(2**20))
    trial.unlink()
