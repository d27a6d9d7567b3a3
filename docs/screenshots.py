"""Screenshots of the pages that commands write: `python docs/screenshots.py`.

They need Chromium, and the cameras of `make train` in models/qplex_hrl.
"""

import io
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import sync_playwright

from camsim.files import atomic_writer
from qplex_hrl.cli.main import main

IMAGES = Path(__file__).parent / "images"
EIGHT = "replay --checkpoint pretrained/qplex_hrl_8v8_9.pth --seed 3"
FOUR = "replay --checkpoint models/qplex_hrl/qplex_hrl_final.pth --seed 2"
COMPARE = "compare pretrained/qplex_hrl_4v4_9.pth planner greedy"
Scheme = Literal["dark", "light"]
SHOTS: dict[str, tuple[str, str, tuple[int, int], Scheme]] = {
    "replay-loss": (EIGHT, "frame=470&target=7", (1300, 1000), "dark"),
    "replay-belief": (EIGHT, "frame=520&camera=6&target=7", (1300, 1000), "dark"),
    "replay-camera": (FOUR, "frame=90&camera=1", (1300, 1000), "light"),
    "replay-phone": (FOUR, "frame=90&camera=1", (375, 812), "light"),
    "comparison": (COMPARE, "", (1000, 960), "light"),
}
"""Of each picture: the command, the last part of the page's address, width and height, colours."""


def take_all() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (command, place, (width, height), scheme) in SHOTS.items():
            file = page_of(command, Path(folder) / f"{name}.html")
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(f"{file.as_uri()}#{place}")
            page.wait_for_timeout(2000.0)
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            with atomic_writer(IMAGES / f"{name}.png") as output:
                shot.save(output, format="PNG", optimize=True)


def page_of(command: str, output: Path) -> Path:
    """Run a command that writes a page there, or into a folder of that name; return the page."""
    assert main([*command.split(), "--output", str(output)]) == 0
    return output / "comparison.html" if output.is_dir() else output


if __name__ == "__main__":
    take_all()
