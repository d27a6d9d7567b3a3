"""Compiled rules of the world: one module per phase, every function in plain NumPy style."""
