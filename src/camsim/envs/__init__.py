"""Worlds in batches: teams driven by the caller or scripted."""
