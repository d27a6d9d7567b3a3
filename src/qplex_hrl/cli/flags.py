"""Flags that several commands have."""

import argparse
from typing import TypeVar

__all__ = ["Parser", "add_log_level"]

Parser = TypeVar("Parser", bound=argparse.ArgumentParser)
"""Of the commands that `add_subparsers` returns."""


def add_log_level(parser: argparse.ArgumentParser) -> None:
    """Add `--log-level`."""
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", choices=levels, default="INFO", help="default: INFO")
