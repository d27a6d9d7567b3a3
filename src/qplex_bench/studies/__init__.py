"""Trainings that are compared: tables, ablation, robustness, games with known values."""
