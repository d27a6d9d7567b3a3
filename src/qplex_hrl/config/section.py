"""What all sections of a configuration share: strict types, no unknown keys, frozen."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Count", "Section", "Seed", "Weight"]

MAX_SEED = 2**63 - 1

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Section(BaseModel):
    """Keys and values of one kind; a wrong type, an unknown key or an infinity is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
