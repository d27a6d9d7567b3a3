"""How fast a replay page opens and plays: `python tests/browser/measure_replay_page.py PAGE`.

Prints the time until the page can be used, and while it plays at normal speed with a camera
selected the median work of a frame and the median time between frames.
"""

import argparse
import shutil
import time
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import sync_playwright

SECONDS = 6.0


def measure(path: Path, selection: str) -> None:
    """Open the page, play it, print the figures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 950})
        start = time.perf_counter()
        page.goto(f"{path.absolute().as_uri()}#frame=10&{selection}")
        while not page.evaluate("Boolean(window.replay && window.replay.ready)"):
            time.sleep(0.005)
        page.evaluate("new Promise(requestAnimationFrame)")
        print(f"opens in {time.perf_counter() - start:.2f} s")  # noqa: T201
        page.evaluate("replay.player.play(true)")
        page.wait_for_timeout(1000.0 * SECONDS)
        times = page.evaluate("replay.player.times")
        for name, words in (("work", "work of a frame"), ("interval", "time between frames")):
            high = quantiles(times[name], n=20)[-1]
            print(  # noqa: T201
                f"{words}: median {median(times[name]):.1f} ms, 95th percentile {high:.1f} ms"
                f" ({len(times[name])} frames)"
            )
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--selection", default="camera=2", help="what is selected, as in addresses")
    arguments = parser.parse_args()
    measure(arguments.page, arguments.selection)
