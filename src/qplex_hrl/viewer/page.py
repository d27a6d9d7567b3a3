"""The replay page: one HTML file that needs no network and no server."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camsim.files import atomic_write_text
from qplex_hrl.viewer.losses import find_losses, within_reach
from qplex_hrl.viewer.pack import pack
from qplex_hrl.viewer.recording import Recording

__all__ = ["write_page"]

MOST_RECORDINGS = 2

_SCRIPTS = (
    "decode.js", "elements.js", "episode.js", "losses.js", "geometry.js", "palette.js", "marks.js",
    "world.js", "belief.js", "curves.js", "state.js", "sections.js", "camera.js", "target.js",
    "overview.js", "stage.js", "panels.js", "plots.js", "player.js", "controls.js", "main.js",
)  # fmt: skip
_REQUIRED = (
    "camera_xy", "camera_radius", "camera_max_range", "camera_min_angle_deg", "obstacle_xy",
    "obstacle_radius", "camera_pose", "camera_obstacle", "target_xy", "target_goal", "target_load",
    "camera_target", "coverage", "transport", "delivered", "camera_return",
)  # fmt: skip


def write_page(
    recordings: Sequence[Recording], output: Path, *, jump_to: int | None = None
) -> None:
    """Write one HTML file that plays one episode, or two side by side.

    Args:
        recordings: one, or two with the same numbers of cameras and targets.
        output: the file; its folder must exist.
        jump_to: frame that the page opens at; None: the first.

    Raises:
        ValueError: wrong number of recordings, different teams, an array is missing or cannot be
            stored, or the episode has no frame `jump_to`.
        OSError: the file cannot be written.
    """
    _check(recordings, jump_to)
    manifests, blobs = [], []
    for recording in recordings:
        arrays = _completed(recording)
        entries, blob = pack(arrays)
        manifests.append({"about": recording.about, "entries": entries})
        blobs.append(base64.b64encode(blob).decode("ascii"))
    names = " and ".join(str(each.about.get("policy", "cameras")) for each in recordings)
    parts = {
        "TITLE": html.escape(f"Replay: {names}"),
        "STYLE": _asset("style.css"),
        "MANIFEST": _json({"recordings": manifests, "jumpTo": jump_to}),
        "BLOBS": "\n".join(f'<script type="text/plain" class="blob">{b}</script>' for b in blobs),
        "SCRIPT": "\n".join(_asset(name) for name in _SCRIPTS),
    }
    pieces = _asset("page.html").split("@@")  # text, name, text, name, ..., text
    pieces[1::2] = [parts[name] for name in pieces[1::2]]
    atomic_write_text(output, "".join(pieces))


def _check(recordings: Sequence[Recording], jump_to: int | None) -> None:
    if not 1 <= len(recordings) <= MOST_RECORDINGS:
        raise ValueError(f"{len(recordings)} recordings; a page shows 1 or {MOST_RECORDINGS}")
    for recording in recordings:
        missing = [name for name in _REQUIRED if name not in recording.arrays]
        if missing:
            raise ValueError(f"recording without {', '.join(missing)}; a page needs it")
    teams = [recording.arrays["camera_target"].shape[1:] for recording in recordings]
    if teams[0] != teams[-1]:
        raise ValueError(
            f"recordings of {' and '.join(f'{c} cameras, {t} targets' for c, t in teams)};"
            " side by side needs the same numbers"
        )
    n_frames = max(len(recording.arrays["coverage"]) for recording in recordings)
    if jump_to is not None and not 0 <= jump_to < n_frames:
        raise ValueError(f"frame {jump_to}; the recording has frames 0 to {n_frames - 1}")


def _completed(recording: Recording) -> Mapping[str, NDArray[Any]]:
    """Return the arrays with `losses` [N, 3] (target, first, last frame) and `reachable`.

    Cameras that do not select have no action in any frame, and no decision.
    """
    arrays = recording.arrays
    no_action = np.full(arrays["camera_target"].shape[:2], -1)
    nothing = {"action": no_action, "slow_action": no_action, "decision_frame": np.zeros(0, int)}
    losses = np.array(find_losses(arrays["camera_target"]), np.int64).reshape(-1, 3)
    reachable = within_reach(arrays, float(recording.about.get("transmittance", 0.0)))
    return {**nothing, **arrays, "losses": losses, "reachable": reachable}


def _json(value: object) -> str:
    """Return JSON that may stand inside a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("qplex_hrl.viewer").joinpath("assets", name).read_text(encoding="utf-8")
