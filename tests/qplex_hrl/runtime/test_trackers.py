"""TensorBoard and W&B: grouped names, histograms, videos, the configuration."""

import sys
from functools import partial
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

    for error in (RuntimeError("no\nkey"), BrokenPipeError("no key")):

        def init(error: Exception = error, **_: object) -> object:
            raise error

        monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
        with pytest.raises(TrackerError, match="did not start: no key"):
            WandbSink(settings, tmp_path, {})


LOST = [
    (RuntimeError("service\nis gone"), "service is gone"),
    (TimeoutError(), "TimeoutError"),
    (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
    (OSError(28, "No space left on device", "run.wandb"), r"run\.wandb: no space left on device"),
]


@pytest.mark.parametrize(("error", "told"), LOST)
def test_what_wandb_raises_is_an_error_of_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    """Of no kind that `main` takes for a reader of our output that is gone."""

    def lost(*_: object) -> None:
        raise error

    run = SimpleNamespace(log=lost, finish=lost, define_metric=lambda name, step_metric: None)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **_: run))
    sink = WandbSink(WandbSettings("p", "g", "online"), tmp_path, {})
    for call in (partial(sink.write, 3, {"mean_loss": 0.5}), sink.close):
        with pytest.raises(OSError, match=f"^wandb: .*(?:{told})$") as caught:
            call()
        assert type(caught.value) is OSError
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("error", "told"), LOST)
def test_what_tensorboard_raises_is_an_error_of_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise error

    sink = TensorBoardSink(tmp_path)
    with monkeypatch.context() as patch:
        for name in ("add_scalar", "close"):
            patch.setattr(sink._writer, name, lost)
        for call in (partial(sink.write, 3, {"mean_loss": 0.5}), sink.close):
            with pytest.raises(OSError, match=f"^TensorBoard: .*(?:{told})$") as caught:
                call()
            assert type(caught.value) is OSError
    sink._writer.close()
