"""The example of docs/rendering.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import imageio_ffmpeg
import pytest
from paths import DOCS

from camsim.render import EpisodeRecord

PAGE = DOCS / "rendering.md"


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer and smaller frames than shown."""
    [example] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    small = example.replace("range(90)", "range(3)").replace("size=480", "size=64")
    monkeypatch.chdir(tmp_path)
    exec(compile(small, PAGE.name, "exec"), {})
    assert imageio_ffmpeg.count_frames_and_secs("greedy.mp4")[0] == 3
    assert [frame.step for frame in EpisodeRecord.load("greedy.npz").frames] == [1, 2, 3]
