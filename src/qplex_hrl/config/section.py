"""What all sections of a configuration share: strict types, no unknown keys, frozen."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Coefficient", "Count", "FilePath", "Frames", "Section", "Seed", "Weight", "Width"]

MAX_SEED = 2**63 - 1


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("expected a path, without a NUL")
    return value


# Every number has both bounds: what is beyond them was surely not meant, and would fail much later.
Count = Annotated[int, Field(ge=1, le=10_000)]  # of things that each take time and memory
Frames = Annotated[int, Field(ge=1, le=10**12)]  # a million times the default; a year of training
Width = Annotated[int, Field(ge=1, le=4096)]  # a layer of it has 67 MB per matrix
Weight = Annotated[float, Field(ge=0, le=1e6)]  # beyond it float32 loses all other terms
Coefficient = Annotated[float, Field(ge=-1e6, le=1e6)]  # likewise, with a sign
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
FilePath = Annotated[
    str, Field(min_length=1, max_length=4096), AfterValidator(_no_nul)
]  # the longest that Linux takes


class Section(BaseModel):
    """Keys and values of one kind; a wrong type, an unknown key or an infinity is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
