"""The files of one run: names, keeping earlier runs, going back to a checkpoint, pruning."""

import fcntl
import hashlib
import json
import re
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
    "video_*.gif",
    "events.out.tfevents.*",
)
_MODEL_OUTPUTS = ("qplex_hrl_*.pth", "qplex_hrl_*.replay.npz")
_NUMBERED = re.compile(r"(?:qplex_hrl|eval_results|video)_(\d+)\.(?:pth|replay\.npz|json|gif)")


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

    def video(self, timestep: int) -> Path:
        """The beginning of an episode, played by the weights of an evaluation during training."""
        return self.log_dir / f"video_{timestep}.gif"

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
        if not outputs:
            return None
        _move(outputs, name := datetime.now().astimezone().strftime("previous-%Y%m%d-%H%M%S-%f"))
        return outputs[0].parent / name

    def rewind(self, timestep: int, pending: int | None = None) -> Path | None:
        """Make the folders those of a run that stands at ``timestep``.

        Later evaluations, videos and checkpoints move into a sub-folder ``rewound-<digits>``, the
        digits those of the configuration that made them. There they take the place of files of the
        same name: that configuration made these alike. Later lines of the metrics file are appended
        to the one there.

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
        again = [] if pending is None else [self.evaluation(pending), self.video(pending)]
        later += [p for p in (self.final, self.final_evaluation, *again) if p.exists()]
        kept, cut = self._lines_until(timestep, pending)
        if not later and not cut:
            return None
        aside = self.log_dir / f"rewound-{self._configuration_digits()}"
        _move(later, aside.name)
        if cut:
            aside.mkdir(exist_ok=True)
            _append(aside / self.metrics.name, cut)
            atomic_write_text(self.metrics, "".join(kept))
        if self.config.exists() and aside.exists():
            atomic_write_text(aside / self.config.name, self.config.read_text(encoding="utf-8"))
        return aside if aside.exists() else self.model_dir / aside.name

    def _lines_until(self, timestep: int, pending: int | None) -> tuple[list[str], list[str]]:
        """Return the lines of metrics that stay, and those that go; see ``rewind``."""
        kept: list[str] = []
        cut: list[str] = []
        if self.metrics.exists():
            for line in self.metrics.read_text(encoding="utf-8").splitlines(keepends=True):
                comes_again = _timestep_of(line) == pending and '"best_coverage"' in line
                (cut if _timestep_of(line) > timestep or comes_again else kept).append(line)
        return kept, cut

    def _configuration_digits(self) -> str:
        """Return hexadecimal digits of the configuration in the log folder."""
        text = self.config.read_bytes() if self.config.exists() else b""
        return hashlib.sha256(text).hexdigest()[:8]

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


def _move(paths: list[Path], name: str) -> None:
    """Move each file into the sub-folder ``name`` of its folder, in place of one of its name."""
    for path in paths:
        folder = path.parent / name
        folder.mkdir(exist_ok=True)
        path.replace(folder / path.name)


def _append(path: Path, lines: list[str]) -> None:
    """Append lines to a file, which is made if need be; each ends with a line break then."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    ended = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    atomic_write_text(path, before + ended)


def _try_writing(folder: Path) -> None:
    """Write a megabyte to the disk and remove it: a full disk shows before anything is moved."""
    trial = folder / ".trial"
    atomic_write_bytes(trial, bytes(2**20))
    trial.unlink()
