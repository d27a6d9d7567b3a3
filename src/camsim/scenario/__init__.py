"""Scenarios: their schema and files, the presets, the generator, where entities can be placed."""
