"""Trackers of a run: TensorBoard and Weights & Biases, with the same names in both.

Names of metrics are those of metrics.jsonl behind the name of a group: ``train/``, ``eval/``,
``loss/`` or ``mixer/``.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import yaml

from camsim.files import failure_of
from qplex_hrl.runtime.logger import NO_EXTRAS, Extras, Histogram

__all__ = ["TensorBoardSink", "TrackerError", "WandbSettings", "WandbSink", "tag_of"]

VIDEO = "eval/video"

_OF_TRAINING = ("epsilon", "learning_rate", "n_updates", "n_episodes", "frames_per_second")
_OF_MIXER = ("gate", "complexity")


class TrackerError(ValueError):
    """A tracker that was asked for is not installed or refuses to start; the text is one line."""


@contextmanager
def _writing_to(tracker: str) -> Iterator[None]:
    """Turn whatever a tracker raises into the error of a file, for which training saves its state.

    Raises:
        OSError: what the block raised; one line with the tracker's name.
    """
    try:
        yield
    except OSError as error:
        raise OSError(f"{tracker}: {failure_of(error)}") from error
    except Exception as error:  # W&B documents none of those that it raises
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(f"{tracker}: {reason}") from error


def tag_of(name: str) -> str:
    """Return the name that trackers show a metric under, such as ``eval/mean_coverage_rate``."""
    if name in _OF_TRAINING:
        return f"train/{name}"
    if name.startswith("train_"):
        return f"train/{name.removeprefix('train_')}"
    if name in _OF_MIXER:
        return f"mixer/{name}"
    is_evaluation = name.startswith(("mean_", "std_")) and name != "mean_loss"
    return f"eval/{name}" if is_evaluation or name == "best_coverage" else f"loss/{name}"


class TensorBoardSink:
    """Curves, histograms, videos and the configuration as TensorBoard events."""

    def __init__(
        self,
        folder: str | Path,
        first_timestep: int = 0,
        config: Mapping[str, object] | None = None,
    ) -> None:
        """Open an events file in the folder.

        Args:
            folder: must exist.
            first_timestep: events after it, of an earlier part of a resumed run, are hidden.
            config: the resolved configuration, shown as text; None: nothing.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._before = threading.excepthook
        threading.excepthook = self._told
        purge = first_timestep + 1 if first_timestep else None
        self._writer = SummaryWriter(str(folder), purge_step=purge)
        if config is not None:
            text = yaml.safe_dump(dict(config), sort_keys=False)
            indented = "".join(f"    {line}\n" for line in text.splitlines())  # a block of code
            self._writer.add_text("configuration", indented, first_timestep)

    def write(
        self, timestep: int, metrics: Mapping[str, float], extras: Extras = NO_EXTRAS
    ) -> None:
        """Add one point to the curve of every metric, the histograms and the video.

        Raises:
            OSError: TensorBoard cannot write, or could not write what came before; one line.
        """
        with _writing_to("TensorBoard"):
            for name, value in metrics.items():
                self._writer.add_scalar(tag_of(name), value, timestep)
            for name, histogram in extras.histograms.items():
                self._writer.add_histogram_raw(name, **_raw(histogram), global_step=timestep)
            if extras.video is not None:
                self._add_gif(timestep, extras.video.read_bytes())

    def _add_gif(self, timestep: int, gif: bytes) -> None:
        """Add a moving picture; TensorBoard hands the bytes of an image to the browser."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        width, height = (int.from_bytes(gif[at : at + 2], "little") for at in (6, 8))
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=gif)
        summary = Summary(value=[Summary.Value(tag=VIDEO, image=image)])
        assert self._writer.file_writer is not None, "closed"
        self._writer.file_writer.add_summary(summary, timestep)

    def close(self) -> None:
        """Flush and close the file.

        Raises:
            OSError: TensorBoard cannot write what is pending; one line.
        """
        try:
            with _writing_to("TensorBoard"):
                self._writer.close()
        finally:
            if threading.excepthook == self._told:
                threading.excepthook = self._before

    def _told(self, args: threading.ExceptHookArgs) -> None:
        """Say nothing of an error in TensorBoard's thread, which raises it in the next write."""
        if not type(args.thread).__module__.startswith("tensorboard."):
            self._before(args)


class WandbSettings(NamedTuple):
    """How to log to Weights & Biases."""

    project: str
    group: str | None
    mode: Literal["online", "offline"]


class WandbSink:
    """A run of Weights & Biases; offline mode only writes files."""

    def __init__(
        self, settings: WandbSettings, folder: str | Path, config: Mapping[str, object]
    ) -> None:
        """Start the run.

        Args:
            settings: project, group and mode.
            folder: where the tracker keeps its files.
            config: the resolved configuration, shown with the run.

        Raises:
            TrackerError: the extra `wandb` is not installed, or the tracker does not start.
        """
        try:
            import wandb
        except ImportError:
            raise TrackerError(
                "logging.wandb.enabled = True, but wandb is not installed: "
                'pip install "qplex-hrl[wandb]"'
            ) from None
        try:
            self._run = wandb.init(
                project=settings.project,
                group=settings.group,
                mode=settings.mode,
                dir=str(folder),
                config=dict(config),
            )
            # The rows of evaluations come late, and W&B drops rows of a step before its last one.
            self._run.define_metric("*", step_metric="timestep")
        except Exception as error:  # of a kind of its own, of its service, or of the network
            reason = " ".join(str(error).split()) or type(error).__name__
            raise TrackerError(f"wandb did not start: {reason}") from error

    def write(
        self, timestep: int, metrics: Mapping[str, float], extras: Extras = NO_EXTRAS
    ) -> None:
        """Log metrics, histograms and video, with the timestep as the axis of all charts.

        Raises:
            OSError: W&B does not take them: a full disk, or its service is lost; one line.
        """
        import wandb

        with _writing_to("wandb"):
            # Any: W&B takes numbers and its own objects.
            row: dict[str, Any] = {tag_of(name): value for name, value in metrics.items()}
            for name, (counts, edges) in extras.histograms.items():
                row[name] = wandb.Histogram(np_histogram=(counts, edges))
            if extras.video is not None:
                row[VIDEO] = wandb.Video(str(extras.video), format="gif")
            self._run.log({"timestep": timestep, **row})

    def close(self) -> None:
        """Finish the run; nothing happens the second time.

        Raises:
            OSError: W&B could not finish it; one line.
        """
        with _writing_to("wandb"):
            self._run.finish()


# Any: numbers and arrays.
def _raw(histogram: Histogram) -> dict[str, Any]:
    """Return what TensorBoard wants to know; its sums take numbers for the middle of their bin."""
    counts, edges = histogram
    middles = (edges[:-1] + edges[1:]) / 2
    return {
        "min": float(edges[0]),
        "max": float(edges[-1]),
        "num": int(counts.sum()),
        "sum": float(counts @ middles),
        "sum_squares": float(counts @ np.square(middles)),
        "bucket_limits": edges[1:].tolist(),
        "bucket_counts": counts.tolist(),
    }
