"""Screenshots of replay pages for docs/watching.md: `python docs/screenshots.py`.

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
EIGHT = "--checkpoint pretrained/qplex_hrl_8v8_9.pth --seed 3"
FOUR = "--checkpoint models/qplex_hrl/qplex_hrl_final.pth --seed 2"
Scheme = Literal["dark", "light"]
SHOTS: dict[str, tuple[str, str, tuple[int, int], Scheme]] = {
    "replay-loss": (EIGHT, "frame=470&target=7", (1300, 1000), "dark"),
    "replay-belief": (EIGHT, "frame=520&camera=6&target=7", (1300, 1000), "dark"),
    "replay-camera": (FOUR, "frame=90&camera=1", (1300, 1000), "light"),
    "replay-phone": (FOUR, "frame=90&camera=1", (375, 812), "light"),
}
"""Of each picture: who plays, the address's last part, width and height, colours."""


def take_all() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (who, place, (width, height), scheme) in SHOTS.items():
            file = Path(folder) / f"{name}.html"
            assert main(["replay", *who.split(), "--output", str(file)]) == 0
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(f"{file.as_uri()}#{place}")
            page.wait_for_function("Boolean(window.replay && window.replay.ready)")
            page.wait_for_timeout(1000.0)
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            with atomic_writer(IMAGES / f"{name}.png") as output:
                shot.save(output, format="PNG", optimize=True)


if __name__ == "__main__":
    take_all()
