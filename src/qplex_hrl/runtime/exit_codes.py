"""What a process's exit code tells: the one list of them."""

DONE = 0
FAILED = 1
"""A check or a bar failed, or training diverged."""

BAD_INPUT = 2
"""One line on standard error says what was wrong; nothing was written."""

INTERRUPTED = 130
"""Stopped from outside; the state was saved."""
