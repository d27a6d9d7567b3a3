"""The page as a file: complete, self-contained, and with the recording inside."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_recording import SMALL, made_up, made_up_script

from qplex_hrl.viewer import page
from qplex_hrl.viewer.pack import unpack
from qplex_hrl.viewer.page import write_page
from qplex_hrl.viewer.recording import Recording


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the manifest and the blobs of a page."""
    text = path.read_text(encoding="utf-8")
    manifest = re.search(
        r'<script type="application/json" id="manifest">(.*?)</script>', text, re.S
    )
    assert manifest
    blobs = re.findall(r'<script type="text/plain" class="blob">(.*?)</script>', text, re.S)
    return json.loads(manifest[1]), blobs


@pytest.mark.parametrize("recordings", [[made_up()], [made_up(), made_up_script()]])
def test_the_recording_stands_in_the_page(tmp_path: Path, recordings: list[Recording]) -> None:
    write_page(recordings, tmp_path / "page.html", jump_to=7)
    manifest, blobs = read(tmp_path / "page.html")
    assert manifest["jumpTo"] == 7
    assert len(blobs) == len(manifest["recordings"]) == len(recordings)
    for recording, stored, blob in zip(recordings, manifest["recordings"], blobs, strict=True):
        assert stored["about"] == recording.about
        arrays = unpack(stored["entries"], base64.b64decode(blob))
        added = {"losses", "reachable", "action", "slow_action", "decision_frame"}
        assert arrays.keys() == recording.arrays.keys() | added
        if "action" not in recording.arrays:  # these cameras do not select
            assert (arrays["action"] == -1).all()
        for name in ("camera_target", "coverage", "camera_return"):
            np.testing.assert_allclose(arrays[name], recording.arrays[name], rtol=1e-6)
        np.testing.assert_allclose(arrays["target_xy"], recording.arrays["target_xy"], atol=0.04)


def test_every_asset_is_part_of_the_page(tmp_path: Path) -> None:
    write_page([made_up()], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assets = list((Path(page.__file__).parent / "assets").glob("*.*s"))
    assert len(assets) > 10
    assert [path.name for path in assets if path.read_text(encoding="utf-8") not in text] == []


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    write_page([made_up()], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "@@" not in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|src=|@import|url\(", text)


def test_names_from_outside_stay_text(tmp_path: Path) -> None:
    policy = "</script><script>alert(1)</script>@@BLOBS@@"
    write_page([made_up(policy=policy)], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert read(tmp_path / "page.html")[0]["recordings"][0]["about"]["policy"] == policy


@pytest.mark.parametrize(
    ("recordings", "jump_to", "message"),
    [
        ([], None, "0 recordings; a page shows 1 or 2"),
        ([made_up()] * 3, None, "3 recordings; a page shows 1 or 2"),
        ([made_up()], 61, "frame 61; the recording has frames 0 to 60"),
        (
            [made_up(), made_up(SMALL._replace(cameras=2))],
            None,
            "of 3 cameras, 3 targets and 2 cameras, 3 targets; side by side needs the same",
        ),
        (
            [Recording({}, {"coverage": np.zeros(1)})],
            None,
            "recording without camera_xy, .*; a page",
        ),
        ([made_up(mean_coverage=float("nan"))], None, "Out of range float values"),
    ],
)
def test_what_cannot_be_shown_is_named_before_anything_is_written(
    tmp_path: Path, recordings: list[Recording], jump_to: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_page(recordings, tmp_path / "page.html", jump_to=jump_to)
    assert list(tmp_path.iterdir()) == []
