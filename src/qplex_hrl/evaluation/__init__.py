"""Measuring policies on fixed seeds."""
