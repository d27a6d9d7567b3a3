"""Video files: read back frame by frame, and nothing left behind by failures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from camsim.render import MissingExtraError, check_video_path, video, write_video

Pixels = NDArray[np.uint8]
SHAPE = (48, 64, 3)
COLOURS = ((250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 250), (5, 5, 5))


def pictures() -> Iterator[Pixels]:
    """One picture of each colour."""
    for colour in COLOURS:
        yield np.full(SHAPE, colour, np.uint8)


def test_mp4_holds_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    assert write_video(pictures(), path, fps=10) == len(COLOURS)
    frames = imageio_ffmpeg.read_frames(path)
    facts = next(frames)
    assert facts["source_size"] == (64, 48)
    assert facts["codec"] == "h264"
    assert facts["pix_fmt"].startswith("yuv420p")
    assert facts["fps"] == 10
    read = [np.frombuffer(frame, np.uint8).reshape(SHAPE) for frame in frames]
    assert len(read) == len(COLOURS)
    for picture, colour in zip(read, COLOURS, strict=True):
        assert np.abs(picture.mean(axis=(0, 1)) - colour).max() < 12
    assert path.read_bytes()[4:8] == b"ftyp"
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat"), "fast start"
    assert [file.name for file in tmp_path.iterdir()] == ["v.mp4"]


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").mkdir()
    with pytest.raises(ValueError, match=r"v\.mp4: is a folder; expected the name of a file"):
        check_video_path(tmp_path / "v.mp4")


def test_gif_holds_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "v.GIF"
    assert write_video(pictures(), path, fps=30) == len(COLOURS)
    with Image.open(path) as gif:
        assert gif.n_frames == len(COLOURS)
        assert gif.info["loop"] == 0
        for k, colour in enumerate(COLOURS):
            gif.seek(k)
            assert gif.info["duration"] == 30  # milliseconds: 33 in hundredths of a second
            picture = np.asarray(gif.convert("RGB"))
            assert np.abs(picture.mean(axis=(0, 1)) - colour).max() < 12


@pytest.mark.parametrize("name", ["v.mp4", "v.gif"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_failing_source_leaves_the_old_file(tmp_path: Path, name: str, old: bytes | None) -> None:
    path = tmp_path / name
    if old is not None:
        path.write_bytes(old)

    def breaking() -> Iterator[Pixels]:
        yield from pictures()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(breaking(), path)
    assert (path.read_bytes() if path.exists() else None) == old
    assert len(list(tmp_path.iterdir())) == (0 if old is None else 1)


@pytest.mark.parametrize("name", ["v.mp4", "v.gif"])
@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "no frames to write"),
        ([np.zeros((48, 63, 3), np.uint8)], r"frame 0 has shape \(48, 63, 3\); expected"),
        ([np.zeros((48, 64), np.uint8)], r"frame 0 has shape \(48, 64\); expected"),
        (
            [np.zeros(SHAPE, np.uint8), np.zeros((2, 2, 3), np.uint8)],
            r"frame 1 is uint8 of shape \(2, 2, 3\); expected uint8 of shape \(48, 64, 3\)",
        ),
        ([np.zeros(SHAPE)], "frame 0 is float64 of shape"),
    ],
)
def test_wrong_frames(tmp_path: Path, name: str, frames: list[Pixels], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_video(frames, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("v.avi", r"unknown kind of video '\.avi'; expected \.mp4 or \.gif"),
        ("v", "unknown kind of video ''"),
        ("none/v.mp4", r"none/v\.mp4: no such folder, or not writable"),
    ],
)
def test_wrong_paths(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_video_path(tmp_path / name)


@pytest.mark.parametrize("fps", [0.0, 101.0, float("nan")])
def test_wrong_rates(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ValueError, match="expected 1 to 100"):
        write_video(pictures(), tmp_path / "v.mp4", fps)


@pytest.mark.parametrize(("library", "name"), [("imageio_ffmpeg", "v.mp4"), ("PIL", "v.gif")])
def test_missing_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, name: str
) -> None:
    for module in [key for key in sys.modules if key.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r'pip install "qplex-hrl\[viz\]"'):
        write_video(pictures(), tmp_path / name)


@pytest.mark.parametrize("reads", [True, False])
def test_a_failing_encoder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    """One that reads all and fails, and one that stops at once."""
    encoder = tmp_path / "encoder"
    encoder.write_text(f"#!/bin/sh\n{'cat > /dev/null' if reads else ''}\necho bad >&2\nexit 3\n")
    encoder.chmod(0o755)
    monkeypatch.setattr(video, "_encoder", lambda: str(encoder))
    with pytest.raises(ValueError, match=r"v\.mp4: the video encoder failed: bad"):
        write_video((np.zeros((600, 600, 3), np.uint8) for _ in range(20)), tmp_path / "v.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["encoder"]


def test_records_need_no_imaging_library() -> None:
    code = (
        "import sys, camsim, camsim.render; from camsim.render import record_frame, EpisodeRecord\n"
        "assert not {'PIL', 'pygame', 'imageio_ffmpeg', 'matplotlib'} & set(sys.modules)\n"
        "from camsim.render import write_video, Window\n"
        "assert not {'PIL', 'pygame', 'imageio_ffmpeg', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    import camsim.render as package

    assert set(package._MODULES) == set(package.__all__)
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match=r"'camsim\.render' has no attribute 'nothing'"):
        _ = package.nothing
