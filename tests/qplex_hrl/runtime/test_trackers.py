"""TensorBoard and W&B: grouped names, histograms, videos, the configuration."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qplex_hrl.runtime.logger import Extras, Histogram
from qplex_hrl.runtime.trackers import (
    TensorBoardSink,
    TrackerError,
    WandbSettings,
    WandbSink,
    tag_of,
)

HISTOGRAM = Histogram(np.array([1, 2]), np.array([0.0, 1.0, 2.0]))
GIF_PATH = Path("v.gif")


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("epsilon", "train/epsilon"),
        ("frames_per_second", "train/frames_per_second"),
        ("train_coverage_rate", "train/coverage_rate"),
        ("mean_coverage_rate", "eval/mean_coverage_rate"),
        ("std_episode_reward", "eval/std_episode_reward"),
        ("best_coverage", "eval/best_coverage"),
        ("mean_loss", "loss/mean_loss"),
        ("grad_norm", "loss/grad_norm"),
        ("gate", "mixer/gate"),
    ],
)
def test_names_are_grouped(name: str, tag: str) -> None:
    assert tag_of(name) == tag


def test_tensorboard_shows_more_than_curves(tmp_path: Path) -> None:
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    gif = tmp_path / "v.gif"
    frames = [Image.new("P", (6, 4), colour) for colour in (1, 2)]
    frames[0].save(gif, save_all=True, append_images=frames[1:])
    sink = TensorBoardSink(tmp_path, config={"training": {"seed": 3}})
    sink.write(10, {}, Extras({"train/actions": HISTOGRAM}, gif))
    sink.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    (histogram,) = events.Histograms("train/actions")
    value = histogram.histogram_value
    assert (histogram.step, value.num, value.sum) == (10, 3.0, 0.5 + 2 * 1.5)
    assert list(value.bucket) == [1.0, 2.0]
    (video,) = events.Images("eval/video")
    assert (video.step, video.width, video.height) == (10, 6, 4)
    assert video.encoded_image_string == gif.read_bytes()
    (text,) = events.Tensors("configuration/text_summary")
    assert b"seed: 3" in text.tensor_proto.string_val[0]


def test_tensorboard_curves(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = TensorBoardSink(tmp_path)
    first.write(10, {"mean_loss": 0.5})
    first.write(20, {"mean_loss": 0.25})
    first.write(30, {"mean_loss": 9.0})
    first.close()
    first.close()
    resumed = TensorBoardSink(tmp_path, first_timestep=20)
    resumed.write(25, {"mean_loss": 0.125})
    resumed.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    points = [(e.step, e.value) for e in events.Scalars("loss/mean_loss")]
    assert points == [(10, 0.5), (20, 0.25), (25, 0.125)]


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = SimpleNamespace(
        log=calls.append,
        finish=lambda: calls.append("finish"),
        define_metric=lambda name, step_metric: calls.append((name, step_metric)),
    )

    def init(**options: object) -> object:
        calls.append(options)
        return run

    def histogram(np_histogram: tuple[Any, Any]) -> object:
        counts, edges = np_histogram
        return "histogram", (counts.tolist(), edges.tolist())

    module = SimpleNamespace(
        init=init,
        Error=RuntimeError,
        Histogram=histogram,
        Video=lambda path, format: ("video", path, format),
    )
    monkeypatch.setitem(sys.modules, "wandb", module)
    sink = WandbSink(WandbSettings("p", None, "offline"), tmp_path, {"a": 1})
    sink.write(3, {"mean_loss": 0.5})
    sink.write(4, {"mean_coverage_rate": 0.5}, Extras({"train/actions": HISTOGRAM}, GIF_PATH))
    sink.close()
    options = {"project": "p", "group": None, "mode": "offline", "dir": str(tmp_path)}
    assert calls == [
        options | {"config": {"a": 1}},
        ("*", "timestep"),  # rows need not come in the order of their timesteps
        {"timestep": 3, "loss/mean_loss": 0.5},
        {
            "timestep": 4,
            "eval/mean_coverage_rate": 0.5,
            "train/actions": ("histogram", ([1, 2], [0.0, 1.0, 2.0])),
            "eval/video": ("video", str(GIF_PATH), "gif"),
        },
        "finish",
    ]


def test_wandb_faults_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = WandbSettings("p", "g", "online")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrackerError, match=r"not installed: pip install"):
        WandbSink(settings, tmp_path, {})

    def init(**_: object) -> object:
        raise RuntimeError("no\nkey")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, Error=RuntimeError))
    with pytest.raises(TrackerError, match="did not start: no key"):
        WandbSink(settings, tmp_path, {})
