"""What the tables of a site are written in: ids, texts, pins."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"{text!r} is no id; use 1 to 63 of a-z, 0-9 and '-', '-' not first")
    return text


Id = Annotated[str, AfterValidator(_id)]
Text = Annotated[str, Field(min_length=1, max_length=120)]
Pin = Annotated[int, Field(ge=2, le=27)]
"""A GPIO of the 40-pin header by its Broadcom number; 0 and 1 belong to the HAT's EEPROM."""


class Shape(BaseModel):
    """A table: what is not asked for is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
