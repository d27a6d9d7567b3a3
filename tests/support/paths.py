"""Folders of the checkout that tests read."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
PRETRAINED = ROOT / "pretrained"
DATA = ROOT / "tests" / "data"
DOCS = ROOT / "docs"
