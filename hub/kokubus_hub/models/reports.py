"""Reports: figures as they were released, once."""

from __future__ import annotations

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, to


class ReportBlock(Base):
    """A stretch of time of a site at a placement, and the figures that may be told of it.

    ``level`` is ``day``, ``week``, or ``stay``: the weeks of a stay that had too few people
    each, together; ``weeks`` is how long that is. ``figures`` is None where they are held back.
    ``heat`` (with a stay) is seven weekdays of 24 hours, 0 to 4, or None.
    """

    __tablename__ = "report_block"
    __table_args__ = (
        UniqueConstraint("placement_id", "level", "start"),
        Index(None, "site_id", "start"),
    )
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"))
    placement_id: Mapped[int] = mapped_column(to("placement"))
    level: Mapped[str] = mapped_column(String(8))
    start: Mapped[At]
    end: Mapped[At]
    weeks: Mapped[float]
    figures: Mapped[Json | None]
    heat: Mapped[Json | None]
    made_at: Mapped[At]
