"""The files of one run: names, keeping earlier runs, going back to a checkpoint, pruning."""

import fcntl
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from camsim.files import atomic_write_bytes, atomic_write_text, remove_leftovers, try_writing
from qplex_hrl.config import RunConfig, config_hash, load_stored_config
from qplex_hrl.storage.checkpoint import CheckpointError, load_checkpoint, newest_intact

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
_CHECKPOINTS = "qplex_hrl_*.pth"
_MODEL_OUTPUTS = (_CHECKPOINTS, "qplex_hrl_*.replay.npz")
_EXPORTED = "cameras_*.pth"
_LOG = logging.getLogger(__name__)
_NUMBERED = re.compile(r"(?:qplex_hrl|eval_results|video)_(\d+)\.(?:pth|replay\.npz|json|gif)")


class SavedBest(NamedTuple):
    """Which evaluation the best checkpoint is of."""

    timestep: int
    coverage: float


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

    @property
    def video_of_final(self) -> Path:
        """Where the printed command puts a video of the final cameras."""
        return self.log_dir / "episode.mp4"

    @property
    def page_of_final(self) -> Path:
        """Where the printed command puts a page that plays the final cameras."""
        return self.log_dir / "episode.html"

    @property
    def comparison(self) -> Path:
        """Where the printed command puts a comparison of the final cameras with others."""
        return self.log_dir / "comparison"

    def exported(self, timestep: int) -> Path:
        """Where the printed command puts the final cameras alone."""
        return self.model_dir / f"cameras_{timestep}.pth"

    def video(self, timestep: int) -> Path:
        """The beginning of an episode, played by the weights of an evaluation during training."""
        return self.log_dir / f"video_{timestep}.gif"

    def checkpoint(self, timestep: int) -> Path:
        """Checkpoint during training."""
        return self.model_dir / f"qplex_hrl_{timestep}.pth"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Create the folders, try to write in them, and hold them for this process.

        What killed processes left half-written in them is removed.

        Raises:
            ValueError: another process trains into one of the folders.
            OSError: a folder cannot be created or written, or the disk is full.
        """
        folders = list(dict.fromkeys((self.log_dir.resolve(), self.model_dir.resolve())))
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            for folder, flag in zip(folders, ("--log-dir", "--model-dir"), strict=False):
                held.enter_context(_locked(folder, flag))
            for folder in folders:
                for path in remove_leftovers(folder):
                    _LOG.warning("removed %s, which a killed process left half-written", path)
                try_writing(folder)
            yield

    def saved_best(self) -> SavedBest | None:
        """Return which evaluation the best checkpoint is of; None without an intact one."""
        try:
            content = load_checkpoint(self.best)
            last = content["history"]["evaluations"][-1]
            return SavedBest(content["timestep"], last["mean_coverage_rate"])
        except (CheckpointError, KeyError, IndexError):
            return None

    def products(self) -> list[Path]:
        """Return what exists of all that the printed commands make of the final cameras."""
        paths = (self.video_of_final, self.page_of_final, self.comparison)
        return [*(path for path in paths if path.exists()), *self.model_dir.glob(_EXPORTED)]

    def set_earlier_run_aside(self) -> Path | None:
        """Move the outputs of an earlier run into sub-folders ``previous-<time>``.

        Only files with the names of a run's outputs move, and what the printed commands make of
        them; everything else stays.

        Returns:
            The folder with the earlier logs, or models if there were no logs; None without such.
        """
        outputs = [path for pattern in _LOG_OUTPUTS for path in self.log_dir.glob(pattern)]
        outputs += [path for pattern in _MODEL_OUTPUTS for path in self.model_dir.glob(pattern)]
        if not outputs:
            return None
        _move([*self.products(), *outputs], name := _named_by_time("previous"))
        return outputs[0].parent / name

    def rewind(self, config: RunConfig, timestep: int, pending: int | None = None) -> Path | None:
        """Make the folders those of a run that stands at ``timestep``.

        Later evaluations, videos, checkpoints and lines of metrics move into a sub-folder
        ``rewound-<time>`` of their own, with the summary and a copy of the configuration.

        Args:
            config: of the run that goes on.
            timestep: where it does.
            pending: timestep of an evaluation that it plays again. What there is of it moves only
                if another configuration made it; else the same comes again in its place.

        Returns:
            The sub-folder of the logs, None if nothing was later.
        """
        again = None if self._was_made_by(config) else pending
        files, lines = self._later_files(timestep, again), self._rows()
        # Wherever this is cut off, doing it again gives the same: rows are copied before they go,
        # and the newest checkpoint that is left is of a time whose other files are all there.
        late = [x for x in lines if _timestep_of(x) > timestep or _is_evaluation(x, again)]
        kept = [x for x in lines if _timestep_of(x) <= timestep and not _is_evaluation(x, pending)]
        aside = None
        if files or late:
            aside = self.log_dir / _named_by_time("rewound")
            aside.mkdir()
            if self.config.exists():
                atomic_write_bytes(aside / self.config.name, self.config.read_bytes())
            if late:
                atomic_write_text(aside / self.metrics.name, "".join(late))
            _move([*files, *(path for path in (self.stats,) if path.exists())], aside.name)
        if kept != self._rows(repaired=False):
            atomic_write_text(self.metrics, "".join(kept))
        return aside

    def _was_made_by(self, config: RunConfig) -> bool:
        """Tell whether what lies here is of a configuration that gives equal numbers."""
        try:
            return config_hash(load_stored_config(self.config)) == config_hash(config)
        except ValueError:
            return False

    def _later_files(self, timestep: int, again: int | None) -> list[Path]:
        """Return the files of after ``timestep``, and of the evaluation ``again``."""
        later = self.products() if self.final.exists() else []  # first: the final one tells of them
        later += [self.final, *(p for p in self.checkpoints() if _number_of(p) > timestep)]
        later += [
            path
            for folder in {self.log_dir, self.model_dir}
            for path in folder.iterdir()
            if _number_of(path) > timestep and path not in later
        ]
        best = self.saved_best()
        if best is None or best.timestep > timestep or best.timestep == again:
            later.append(self.best)
        later += [] if again is None else [self.evaluation(again), self.video(again)]
        later.append(self.final_evaluation)
        return [path for path in later if path.exists()]

    def _rows(self, *, repaired: bool = True) -> list[str]:
        """Return the lines of the metrics file, with their ends; the last one may lack its end."""
        if not self.metrics.exists():
            return []
        text = self.metrics.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines(keepends=True)
        return [f"{line.rstrip()}\n" for line in lines] if repaired else lines

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


@contextmanager
def _locked(folder: Path, flag: str) -> Iterator[None]:
    """Hold a folder for this process.

    Args:
        folder: must exist.
        flag: of the command line, which names another folder.

    Raises:
        ValueError: another process holds it.
        OSError: the folder cannot be written.
    """
    path = folder / ".lock"
    while True:
        with path.open("a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                pid = lock.read().strip() or "unknown"
                msg = (
                    f"{folder}: another training (process {pid}) writes here; "
                    f"choose another {flag}, or stop it"
                )
                raise ValueError(msg) from None
            if not _is_at(lock, path):  # somebody deleted it meanwhile: that one holds nothing
                continue
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield
            return


def _is_at(file: TextIO, path: Path) -> bool:
    """Tell whether an open file is the one that ``path`` names now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def find_checkpoint(path: Path, choose: Callable[[str | Path], Path] = newest_intact) -> Path:
    """Return the checkpoint that ``path`` stands for.

    Args:
        path: the checkpoint itself; or a folder of checkpoints, or a log folder: then the newest
            intact checkpoint of that run.
        choose: takes one from a folder of checkpoints.

    Raises:
        CheckpointError: there is none.
    """
    if not path.is_dir():
        return path
    resolved = path / "config.yaml"
    if not any(path.glob(_CHECKPOINTS)) and resolved.exists():
        return choose(load_stored_config(resolved).logging.model_dir)
    return choose(path)


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


def _number_of(path: Path) -> int:
    """Return the timestep in the name of a numbered file, -1 for any other."""
    match = _NUMBERED.fullmatch(path.name)
    return int(match[1]) if match else -1


def _timestep_of(line: str) -> float:
    """Return the timestep of a line of metrics, infinity for a line cut off by a crash."""
    try:
        return float(json.loads(line)["timestep"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _is_evaluation(line: str, timestep: int | None) -> bool:
    """Tell whether a line of metrics is of the evaluation at ``timestep``; None: of no one."""
    return _timestep_of(line) == timestep and '"best_coverage"' in line


def _named_by_time(kind: str) -> str:
    """Return the name of a new folder."""
    return datetime.now().astimezone().strftime(f"{kind}-%Y%m%d-%H%M%S-%f")


def _move(paths: list[Path], name: str) -> None:
    """Move each file or folder into the sub-folder ``name`` of its folder."""
    for path in paths:
        folder = path.parent / name
        folder.mkdir(exist_ok=True)
        path.replace(folder / path.name)
