"""Members and badges in JSON. A UID comes in and never goes out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr, StringConstraints
from sqlalchemy import Row

from kokubus_hub.people.inbox import Unknown
from kokubus_hub.times import Time, TimeIn, instant

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"
    ),
]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Language = Literal["de", "en"]
MemberStatus = Literal["active", "suspended"]
PostcodeBand = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[0-9]{2,3}$"),
    Field(
        description="The first two or three digits of the postcode the member would else have"
        " driven to work to, if they want to say so; only the commuting figure uses it"
    ),
]
BadgeStatus = Literal["active", "blocked", "lost", "replaced"]


class MemberOut(BaseModel):
    """A member; ``id`` is all that is known of them outside this list."""

    id: str
    name: str
    email: str | None
    language: str
    status: MemberStatus
    start: Time | None
    end: Time | None
    postcode_band: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> MemberOut:
        """A member's row."""
        return cls(
            id=row.slug,
            name=row.name,
            email=row.email,
            language=row.language,
            status=row.status,
            start=row.start,
            end=row.end,
            postcode_band=row.postcode_band,
        )


class MemberPage(BaseModel):
    """Members in the order they were added; ``next`` is the following page's ``after``."""

    items: list[MemberOut]
    next: int | None


class MemberIn(BaseModel):
    """A new member."""

    name: Name
    email: Email | None = None
    language: Language = "de"
    start: TimeIn | None = None
    end: TimeIn | None = None
    postcode_band: PostcodeBand | None = None


class MemberChange(BaseModel):
    """What is to change; what is left out stays."""

    name: Name = ""
    email: Email | None = None
    language: Language = "de"
    status: MemberStatus = "active"
    start: TimeIn | None = None
    end: TimeIn | None = None
    postcode_band: PostcodeBand | None = None


class BadgeOut(BaseModel):
    """A badge; ``label`` is the number printed on it, which is not its UID."""

    id: int
    member: str | None
    label: str | None
    tech: str
    status: BadgeStatus
    start: Time | None
    end: Time | None
    assurance: int
    override_lockdown: bool = Field(description="Its rights hold during a lockdown, too")

    @classmethod
    def of(cls, row: Row[Any]) -> BadgeOut:
        """A badge's row with its member's slug."""
        return cls.model_validate(row, from_attributes=True)


class BadgePage(BaseModel):
    """Badges in the order they were enrolled; ``next`` is the following page's ``after``."""

    items: list[BadgeOut]
    next: int | None


class BadgeIn(BaseModel):
    """A badge to enrol, by the UID a reader shows for it.

    ``tech`` ``number``: by the 6 or 8 hex digits a Wiegand or USB reader makes of it; ``pin``:
    no badge, but 6 to 12 digits for a keypad, though not 8.
    """

    uid: SecretStr = Field(max_length=64, examples=["04A3C6CAE26180"])
    tech: Literal["mfrc522", "number", "pin"] = "mfrc522"
    member: str | None = Field(default=None, max_length=64)
    label: Label | None = None
    start: TimeIn | None = None
    end: TimeIn | None = None
    override_lockdown: bool = False


class BadgeChange(BaseModel):
    """What is to change; what is left out stays. ``member`` null takes it back."""

    member: str | None = Field(default=None, max_length=64)
    label: Label | None = None
    status: BadgeStatus = "active"
    start: TimeIn | None = None
    end: TimeIn | None = None
    override_lockdown: bool = False


class UnknownBadgeOut(BaseModel):
    """A badge that nobody holds, by where and when it was tapped; never its UID."""

    id: int
    site: str
    door: str
    first_at: Time
    last_at: Time
    taps: int
    enrollable: bool = Field(description="false for one that shows another number at every tap")

    @classmethod
    def of(cls, one: Unknown) -> UnknownBadgeOut:
        """As the inbox has it."""
        return cls.model_validate(one, from_attributes=True)


class ClaimIn(BaseModel):
    """Whose badge it is, and what is printed on it."""

    member: str = Field(min_length=1, max_length=64)
    label: Label | None = None


def given(model: BaseModel, *, leave: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields somebody sent, instants as milliseconds."""
    fields = model.model_dump(exclude_unset=True, exclude=set(leave))
    moments = {name: instant(fields[name]) for name in ("start", "end") if fields.get(name)}
    return fields | moments
