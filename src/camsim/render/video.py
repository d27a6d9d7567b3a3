"""Videos from pictures: MP4 through a bundled encoder, GIF through Pillow; no system packages."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camsim.files import atomic_writer
from camsim.render.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["check_video_path", "write_video"]

Pixels = NDArray[np.uint8]

_SUFFIXES = (".mp4", ".gif")
_SMALL_CUBE = tuple(product((0, 64, 128, 191, 255), repeat=3))  # colours a GIF always has


def check_video_path(path: str | Path) -> None:
    """Check that `write_video` can write there, before hours are spent on the frames.

    Raises:
        ValueError: the suffix is neither .mp4 nor .gif, the folder cannot be written, a folder has
            that name, or a library is missing; one line.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{path}: unknown kind of video '{path.suffix}'; expected .mp4 or .gif")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path}: no such folder, or not writable")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; expected the name of a file")
    if path.suffix.lower() == ".mp4":
        _encoder()
    else:
        _require_pillow()


def write_video(frames: Iterable[Pixels], path: str | Path, fps: float = 30.0) -> int:
    """Write pictures [H, W, 3] uint8 as a video; return their number.

    The file appears under its name only when it is complete. MP4 holds H.264 (yuv420p), written
    while the frames come in. GIF counts time in hundredths of a second, so `fps` is rounded.

    Args:
        frames: at least one, all of the same even size.
        path: ends in .mp4 or .gif.
        fps: pictures per second, 1 to 100.

    Raises:
        ValueError: suffix, size, fps or number of frames is wrong, a library is missing, or the
            encoder fails; one line.
        OSError: the file cannot be written.
    """
    check_video_path(path)
    if not 1.0 <= fps <= 100.0:
        raise ValueError(f"fps = {fps}; expected 1 to 100")
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{path}: no frames to write; expected at least one")
    checked = _checked_frames(chain([first], pictures), first.shape)
    write = _write_mp4 if Path(path).suffix.lower() == ".mp4" else _write_gif
    return write(checked, Path(path), fps, first.shape)


def _checked_frames(frames: Iterable[Pixels], shape: tuple[int, ...]) -> Iterator[Pixels]:
    """Yield the frames.

    Raises:
        ValueError: one is no picture, has odd sides or another size than the first.
    """
    if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2 or not all(shape):
        raise ValueError(f"frame 0 has shape {shape}; expected [H, W, 3] with H and W even")
    for k, frame in enumerate(frames):
        if frame.shape != shape or frame.dtype != np.uint8:
            found = f"{frame.dtype} of shape {frame.shape}"
            raise ValueError(f"frame {k} is {found}; expected uint8 of shape {shape}")
        yield frame


def _write_mp4(frames: Iterator[Pixels], path: Path, fps: float, shape: tuple[int, ...]) -> int:
    n_frames = 0
    # The encoder fills the temporary file by its name, since it must go back in it at the end.
    with atomic_writer(path) as file, tempfile.TemporaryFile() as errors:
        command = [
            *(_encoder(), "-y", "-loglevel", "error"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{shape[1]}x{shape[0]}"),
            *("-r", f"{fps:g}", "-i", "pipe:0", "-an"),
            *("-c:v", "libx264", "-crf", "20", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
            *("-movflags", "+faststart", "-f", "mp4", file.name),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors) as encoder:
            assert encoder.stdin is not None
            try:
                for frame in frames:
                    encoder.stdin.write(np.ascontiguousarray(frame).data)
                    n_frames += 1
                encoder.stdin.close()
            except BrokenPipeError:  # the encoder has stopped and says below why
                encoder.stdin = None
            except BaseException:
                encoder.kill()
                raise
            failed = encoder.wait() != 0
        if failed:
            errors.seek(0)
            reason = " ".join(errors.read().decode(errors="replace").split())
            raise ValueError(f"{path}: the video encoder failed: {reason or 'no reason given'}")
    return n_frames


def _write_gif(frames: Iterator[Pixels], path: Path, fps: float, shape: tuple[int, ...]) -> int:
    from PIL import Image

    n_frames = 0
    first = Image.fromarray(next(frames))
    palette = _palette(first)

    def converted() -> Iterator[Image.Image]:
        nonlocal n_frames
        for frame in frames:
            n_frames += 1
            yield Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)

    with atomic_writer(path) as file:
        first.quantize(palette=palette, dither=Image.Dither.NONE).save(
            file,
            format="GIF",
            save_all=True,
            append_images=converted(),
            duration=10 * max(1, round(100.0 / fps)),
            loop=0,
        )
    return n_frames + 1


def _palette(first: "Image.Image") -> "Image.Image":
    """Return a palette for all frames: colours of the first one, and a coarse cube of all."""
    from PIL import Image

    own = first.quantize(128).getpalette() or []
    palette = Image.new("P", (1, 1))
    cube = [value for colour in _SMALL_CUBE for value in colour]
    palette.putpalette([*own[: 3 * 128], *cube])
    return palette


def _encoder() -> str:
    """Return the path of the bundled encoder."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError:
        raise MissingExtraError("imageio-ffmpeg") from None
    try:
        return str(get_ffmpeg_exe())
    except RuntimeError as error:  # a platform without a bundled binary
        raise ValueError(f"no video encoder: {' '.join(str(error).split())}") from error


def _require_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise MissingExtraError("pillow") from None
