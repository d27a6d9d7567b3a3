"""Hierarchical target selection for camera teams, learned with QPLEX."""

__all__: list[str] = []
