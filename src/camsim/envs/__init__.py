"""Worlds with one scripted team or two: what learners and evaluations step."""
