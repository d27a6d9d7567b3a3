"""Scripted teams beside upstream's statistics."""
