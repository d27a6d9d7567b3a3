"""Pictures, videos and windows of the MATE world, drawn from records of its frames.

The names below are imported on first use: without the extra `viz` the records still work, and
importing this package loads no imaging library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camsim.render.errors import DisplayError, MissingExtraError
    from camsim.render.panel import Caption
    from camsim.render.raster import draw_frame, draw_frames
    from camsim.render.record import CameraRecord, EpisodeRecord, FrameRecord, record_frame
    from camsim.render.scenario_picture import draw_scenario, picture_of_scenario, save_picture
    from camsim.render.video import check_video_path, write_video
    from camsim.render.window import Window

__all__ = [
    "CameraRecord",
    "Caption",
    "DisplayError",
    "EpisodeRecord",
    "FrameRecord",
    "MissingExtraError",
    "Window",
    "check_video_path",
    "draw_frame",
    "draw_frames",
    "draw_scenario",
    "picture_of_scenario",
    "record_frame",
    "save_picture",
    "write_video",
]

_MODULES = {
    "CameraRecord": "camsim.render.record",
    "Caption": "camsim.render.panel",
    "DisplayError": "camsim.render.errors",
    "EpisodeRecord": "camsim.render.record",
    "FrameRecord": "camsim.render.record",
    "MissingExtraError": "camsim.render.errors",
    "Window": "camsim.render.window",
    "check_video_path": "camsim.render.video",
    "draw_frame": "camsim.render.raster",
    "draw_frames": "camsim.render.raster",
    "draw_scenario": "camsim.render.scenario_picture",
    "picture_of_scenario": "camsim.render.scenario_picture",
    "record_frame": "camsim.render.record",
    "save_picture": "camsim.render.scenario_picture",
    "write_video": "camsim.render.video",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
