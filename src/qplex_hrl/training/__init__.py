"""A training run: its loop, its folder, what it writes and when."""
