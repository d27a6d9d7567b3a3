"""Scripted teams: what they play, remember and tell each other."""
