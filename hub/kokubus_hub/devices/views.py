"""``/api/v1/enrolment``: where a device without an identity gets one. Nobody signs in here."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode

import structlog
from fastapi import APIRouter, BackgroundTasks, Request

from kokubus import joining
from kokubus_hub.broker import Broker
from kokubus_hub.context import Hub, HubOf
from kokubus_hub.cutting import replace
from kokubus_hub.devices import codes
from kokubus_hub.devices.codes import Joined, WrongCodeError
from kokubus_hub.devices.schemas import HubKeyOut, JoinIn, JoinOut
from kokubus_hub.people.limits import TooManyAttemptsError
from kokubus_hub.problems import ProblemError

EVERYBODY = "enrolment"
log = structlog.get_logger()
router = APIRouter(prefix="/enrolment", tags=["devices"])


@router.get("/key", summary="The hub's key, to compare with an enrolment code")
def key(hub: HubOf) -> HubKeyOut:
    """Public; a device believes it only if its code names it."""
    return HubKeyOut(sealing_key=urlsafe_b64encode(hub.keyring.sealing_public).decode())


@router.post("", summary="Enrol a device by its code")
def join(request: Request, wanted: JoinIn, hub: HubOf, later: BackgroundTasks) -> JoinOut:
    """Gives the device that shows a code its certificate, its keys and its site's file."""
    address = request.client.host if request.client else ""
    _check(hub, address)
    try:
        asked = hub.keyring.open_request(wanted.sealed)
        joined = codes.redeem(hub.settings, hub.engine, hub.keyring, asked, hub.now())
    except (WrongCodeError, joining.JoinError) as error:
        hub.joining.failed(EVERYBODY, address, hub.now())
        log.warning("enrolment_refused", address=address)
        raise ProblemError(403, str(error)) from error
    log.info("device_enrolled", device=joined.device, replaced=joined.replaced)
    if joined.replaced:
        later.add_task(_cut, hub, joined)
    return JoinOut(sealed=joining.seal_answer(joined.answer, asked.answer_key, os.urandom(12)))


def _check(hub: Hub, address: str) -> None:
    try:
        hub.joining.check(EVERYBODY, address, hub.now())
    except TooManyAttemptsError as error:
        wait = max(1, (error.retry_at - hub.now()) // 1000)
        said = "Too many wrong enrolment codes; wait a quarter of an hour."
        raise ProblemError(429, said, {"Retry-After": str(wait)}) from error


def _cut(hub: Hub, joined: Joined) -> None:
    """Who had this identity before is thrown out; the new device comes back by itself."""
    try:
        replace(Broker.of(hub.settings), joined.device)
    except Exception:
        log.exception("not_cut", device=joined.device)
