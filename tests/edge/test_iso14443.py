import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokubus_edge.emulator import Card, Mfrc522Chip, installed
from kokubus_edge.iso14443 import FrameError, Reply, TypeA, cascade_levels, crc_a
from kokubus_edge.mfrc522 import Mfrc522, MfrcPackageBus

VECTORS = Path(__file__).parents[1] / "data" / "iso14443" / "crc_a.json"
BADGE = bytes.fromhex("04A3C6CAE26180")
LEVEL_1 = bytes.fromhex("8804A3C6E9")
LEVEL_2 = bytes.fromhex("CAE26180C9")


@contextmanager
def air(*uids: str) -> Iterator[TypeA]:
    chip = Mfrc522Chip()
    with installed(chip):
        radio = Mfrc522(MfrcPackageBus.open(), sleep=chip.sleep)
        radio.start()
        for uid in uids:
            chip.field.put(Card(uid))
        yield TypeA(radio)


def read_all(air: TypeA) -> list[str]:
    found = []
    while card := air.activate():
        air.halt()
        found.append(card.uid.hex().upper())
    return found


class ScriptedRadio:
    """Answers each frame, in hex, as told; whatever else is sent meets silence."""

    def __init__(self, **answers: Reply | FrameError) -> None:
        self.answers = {frame.removeprefix("x"): answer for frame, answer in answers.items()}

    def exchange(self, data: bytes, **_framing: int) -> Reply | None:
        answer = self.answers.get(data.hex().upper())
        if isinstance(answer, FrameError):
            raise answer
        return answer


def sak(value: int) -> Reply:
    return Reply(bytes((value,)) + crc_a(bytes((value,))))


def select(code: int, level: bytes) -> str:
    frame = bytes((code, 0x70)) + level
    return "x" + (frame + crc_a(frame)).hex().upper()


def good_badge() -> dict[str, Reply | FrameError]:
    return {
        "x26": Reply(b"\x44\x00"),
        "x9320": Reply(LEVEL_1),
        select(0x93, LEVEL_1): sak(0x04),
        "x9520": Reply(LEVEL_2),
        select(0x95, LEVEL_2): sak(0x00),
    }


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda vector: vector["id"])
def test_crc_a_agrees_with_the_published_examples(vector: dict[str, str]) -> None:
    assert crc_a(bytes.fromhex(vector["data"])).hex() == vector["crc"]


def test_a_seven_byte_uid_takes_two_cascade_levels() -> None:
    assert cascade_levels(BADGE) == [LEVEL_1, LEVEL_2]


def test_a_uid_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="4, 7 or 10"):
        cascade_levels(bytes(5))


@pytest.mark.parametrize("uid", ["04A3C6CAE26180", "1E034A5B", "01E34A5B", "04A3C605010203040506"])
def test_the_whole_uid_is_read(uid: str) -> None:
    with air(uid) as reader:
        assert read_all(reader) == [uid]


def test_badges_that_share_three_bytes_are_two_badges() -> None:
    with air("04A3C6CAE26180", "04A3C6FFFFFFFF") as reader:
        assert set(read_all(reader)) == {"04A3C6CAE26180", "04A3C6FFFFFFFF"}


def test_a_collision_in_the_last_bit_of_a_level_is_resolved() -> None:
    with air("11223300", "11223380") as reader:
        assert set(read_all(reader)) == {"11223300", "11223380"}


def test_one_card_is_alone_and_two_are_not() -> None:
    with air("1E034A5B") as reader:
        card = reader.activate()
        assert card is not None
        assert card.alone
    with air("1E034A5B", "01E34A5B") as reader:
        card = reader.activate()
        assert card is not None
        assert not card.alone


single = st.binary(min_size=4, max_size=4).filter(lambda uid: uid[0] != 0x88)
double = st.binary(min_size=7, max_size=7).filter(lambda uid: uid[3] != 0x88)
triple = st.binary(min_size=10, max_size=10).filter(lambda uid: uid[3] != 0x88)
alike = st.binary(min_size=4, max_size=4).map(lambda tail: b"\x04\xa3\xc6" + tail)
uid_sets = st.sets(single | double | triple | alike.filter(lambda uid: uid[3] != 0x88), max_size=5)


@given(uid_sets)
def test_every_card_of_a_heap_is_read_exactly(uids: set[bytes]) -> None:
    expected = sorted(uid.hex().upper() for uid in uids)
    with air(*expected) as reader:
        assert sorted(read_all(reader)) == expected


def test_a_halted_card_sleeps_but_is_still_known_to_be_there() -> None:
    with air("04A3C6CAE26180") as reader:
        assert read_all(reader) == ["04A3C6CAE26180"]
        assert reader.activate() is None
        assert reader.is_present(BADGE)
        assert not reader.is_present(bytes.fromhex("04A3C6CAE26181"))


def test_a_card_left_in_mid_dialogue_is_heard_again() -> None:
    with air("04A3C6CAE26180") as reader:
        assert reader.activate() is not None
        assert read_all(reader) == ["04A3C6CAE26180"]


def test_the_scripted_badge_reads_when_nothing_is_wrong() -> None:
    card = TypeA(ScriptedRadio(**good_badge())).activate()
    assert card is not None
    assert card.uid == BADGE


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        pytest.param("x9320", Reply(LEVEL_1[:4] + b"\x00"), id="BCC of level 1"),
        pytest.param("x9520", Reply(LEVEL_2[:4] + b"\x00"), id="BCC of level 2"),
        pytest.param("x9520", Reply(LEVEL_2[:4]), id="cut short"),
        pytest.param("x9520", Reply(LEVEL_2, last_bits=3), id="cut within a byte"),
        pytest.param("x9520", Reply(LEVEL_2, collision=40), id="collision past the UID"),
        pytest.param("x9520", FrameError("parity"), id="parity"),
        pytest.param(select(0x95, LEVEL_2), Reply(b"\x00\x00\x00"), id="CRC of SAK"),
        pytest.param(select(0x95, LEVEL_2), Reply(b"\x00"), id="SAK without CRC"),
        pytest.param(select(0x95, LEVEL_2), Reply(b""), id="no SAK in it"),
        pytest.param(select(0x95, LEVEL_2), Reply(b"\x00\x00" + crc_a(b"\0\0")), id="long SAK"),
        pytest.param(select(0x95, LEVEL_2), sak(0x04), id="cascade without a tag"),
        pytest.param(select(0x93, LEVEL_1), sak(0x00), id="tag without cascade: 8804A3C6"),
    ],
)
def test_damage_anywhere_gives_no_uid(frame: str, answer: Reply | FrameError) -> None:
    assert TypeA(ScriptedRadio(**{**good_badge(), frame: answer})).activate() is None


def test_noise_that_never_ends_is_given_up() -> None:
    assert TypeA(ScriptedRadio(x26=FrameError("noise"))).activate() is None


def test_a_card_that_stops_answering_says_so() -> None:
    with pytest.raises(FrameError, match="taken away"):
        TypeA(ScriptedRadio()).transceive(b"\xe0\x50")


def test_a_repeating_collision_cannot_hold_the_reader() -> None:
    class Stuck(ScriptedRadio):
        def exchange(self, data: bytes, **_framing: int) -> Reply:  # noqa: ARG002 - whatever is sent
            return Reply(bytes(5), collision=1)

    assert TypeA(Stuck()).activate() is None
