"""Fast batched simulator of camera networks that track moving targets (the MATE world)."""

__all__: list[str] = []
