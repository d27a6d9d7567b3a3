"""Trainings that are compared: tables, ablation, scripted and untrained rows, verdicts."""
