from random import Random
from threading import Thread

import pytest

from kokubus_edge.emulator import (
    Bits,
    Card,
    Field,
    Mfrc522Chip,
    Noise,
)
from kokubus_edge.iso14443 import crc_a
from kokubus_edge.mfrc522 import Command, Register

REQA, WUPA = Bits(0x26, 7), Bits(0x52, 7)


@pytest.fixture
def chip() -> Mfrc522Chip:
    return Mfrc522Chip()


def write(chip: Mfrc522Chip, register: int, *values: int) -> None:
    chip.transfer([register << 1, *values])


def read(chip: Mfrc522Chip, register: int) -> int:
    return chip.transfer([register << 1 | 0x80, 0])[1]


def send(chip: Mfrc522Chip, data: bytes, framing: int = 0) -> None:
    write(chip, Register.COMMAND, Command.IDLE)
    write(chip, Register.COM_IRQ, 0x7F)
    write(chip, Register.FIFO_LEVEL, 0x80)
    write(chip, Register.FIFO_DATA, *data)
    write(chip, Register.BIT_FRAMING, framing)
    write(chip, Register.COMMAND, Command.TRANSCEIVE)
    write(chip, Register.BIT_FRAMING, 0x80 | framing)


# -- cards


def test_a_repeated_request_silences_a_card() -> None:
    card = Card("1E034A5B")
    heard = [card.hear(REQA) for _ in range(4)]
    assert [answer is not None for answer in heard] == [True, False, True, False]


def test_a_halted_card_answers_only_to_wake_up_until_the_field_goes() -> None:
    card = Card("1E034A5B")
    select = b"\x93\x70" + card.levels[0]
    card.hear(REQA)
    assert card.hear(Bits.of(select + crc_a(select))) is not None
    assert card.hear(Bits.of(b"\x50\x00" + crc_a(b"\x50\x00"))) is None
    assert card.hear(REQA) is None
    assert card.hear(WUPA) is not None
    assert card.hear(WUPA) is None
    assert card.hear(REQA) is None
    card.reset()
    assert card.hear(REQA) is not None


def test_a_card_checks_bcc_and_crc_of_select() -> None:
    card = Card("1E034A5B")
    select = b"\x93\x70" + card.levels[0]
    card.hear(REQA)
    assert card.hear(Bits.of(select + b"\x00\x00")) is None
    assert card.hear(Bits.of(select + crc_a(select))) is None, "the error ended the dialogue"


def test_a_card_not_meant_leaves_the_anticollision() -> None:
    card = Card("1E034A5B")
    card.hear(REQA)
    assert card.hear(Bits(0x93 | 0x21 << 8 | 0b1 << 16, 17)) is None
    card.hear(REQA)
    matching = Bits(0x93 | 0x21 << 8 | 0b0 << 16, 17)
    assert card.hear(matching) == Bits(int.from_bytes(card.levels[0], "little") >> 1, 39)


# -- the field


def test_answers_superpose_and_the_first_difference_is_the_collision(chip: Mfrc522Chip) -> None:
    field = chip.field
    field.power(on=True)
    field.put(Card("01000000"))
    field.put(Card("05000000"))
    assert field.exchange(REQA) is not None
    answer = field.exchange(Bits.of(b"\x93\x20"))
    assert answer is not None
    assert answer.collision == 2
    assert answer.bits.to_bytes()[0] == 0x05


def test_a_card_taken_away_and_put_back_wakes_up_idle(chip: Mfrc522Chip) -> None:
    card = Card("1E034A5B")
    chip.field.power(on=True)
    chip.field.put(card)
    chip.field.put(card)
    chip.field.exchange(REQA)
    chip.field.remove(card)
    chip.field.remove(card)
    assert chip.field.exchange(WUPA) is None
    chip.field.put(card)
    assert chip.field.exchange(REQA) is not None


def test_cards_may_come_and_go_while_the_chip_asks() -> None:
    field = Field()
    field.power(on=True)

    def juggle(number: int) -> None:
        card = Card(f"{number:08X}")
        for _ in range(300):
            field.put(card)
            field.exchange(WUPA)
            field.remove(card)

    threads = [Thread(target=juggle, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert field.exchange(WUPA) is None


def test_noise_is_repeatable_and_counted() -> None:
    frame = Bits.of(bytes(8))
    noises = [Noise(0.15, Random(7)) for _ in range(2)]
    heard = [[noise.through(frame) for _ in range(400)] for noise in noises]
    assert heard[0] == heard[1]
    assert noises[0].damaged == sum(bits != frame for bits in heard[0])
    assert 40 < noises[0].damaged < 80


def test_parity_notices_an_odd_number_of_flips_in_a_byte() -> None:
    noise = Noise(1.0, Random(1))
    for _ in range(200):
        bits = noise.through(Bits.of(bytes(8)))
        odd = any(byte.bit_count() % 2 for byte in bits.to_bytes())
        assert bits.parity_ok != odd


# -- the chip


def test_interrupt_bits_are_set_or_cleared_by_bit_7(chip: Mfrc522Chip) -> None:
    write(chip, Register.COM_IRQ, 0x7F)
    assert read(chip, Register.COM_IRQ) == 0
    write(chip, Register.COM_IRQ, 0x80 | 0x21)
    assert read(chip, Register.COM_IRQ) == 0x21
    write(chip, Register.COM_IRQ, 0x01)
    assert read(chip, Register.COM_IRQ) == 0x20


def test_the_fifo_holds_64_bytes(chip: Mfrc522Chip) -> None:
    write(chip, Register.FIFO_DATA, *range(65))
    assert read(chip, Register.FIFO_LEVEL) == 64
    assert read(chip, Register.ERROR) & 0x10
    assert chip.transfer([Register.FIFO_DATA << 1 | 0x80] * 3 + [0]) == [0, 0, 1, 2]
    write(chip, Register.FIFO_LEVEL, 0x80)
    assert read(chip, Register.FIFO_LEVEL) == 0
    assert read(chip, Register.FIFO_DATA) == 0
    assert not read(chip, Register.ERROR)


def test_the_timer_starts_after_sending_and_fires_in_virtual_time(chip: Mfrc522Chip) -> None:
    write(chip, Register.T_MODE, 0x80)
    write(chip, Register.T_PRESCALER, 169)
    write(chip, Register.T_RELOAD_LOW, 200)
    send(chip, b"\x26", framing=7)
    chip.sleep(0.004)
    assert not read(chip, Register.COM_IRQ) & 0x01
    chip.sleep(0.002)
    assert read(chip, Register.COM_IRQ) & 0x41 == 0x41


def test_an_answer_stops_the_timer(chip: Mfrc522Chip) -> None:
    chip.field.put(Card("1E034A5B"))
    write(chip, Register.TX_CONTROL, 0x83)
    write(chip, Register.T_MODE, 0x80)
    write(chip, Register.T_PRESCALER, 169)
    write(chip, Register.T_RELOAD_LOW, 40)
    send(chip, b"\x26", framing=7)
    chip.sleep(0.01)
    assert read(chip, Register.COM_IRQ) & 0x21 == 0x20


def test_the_timer_can_be_started_and_stopped_by_hand(chip: Mfrc522Chip) -> None:
    write(chip, Register.T_RELOAD_HIGH, 0xFF)
    write(chip, Register.CONTROL, 0x40)
    write(chip, Register.CONTROL, 0x80)
    chip.sleep(1)
    assert not read(chip, Register.COM_IRQ) & 0x01
    write(chip, Register.CONTROL, 0x40)
    chip.sleep(1)
    assert read(chip, Register.COM_IRQ) & 0x01


def test_wall_time_passes_too_when_asked_for() -> None:
    wall = iter([10.0, 10.0, 10.5])
    chip = Mfrc522Chip(clock=lambda: next(wall))
    read(chip, Register.VERSION)
    before = chip.now_us
    read(chip, Register.VERSION)
    assert chip.now_us - before == pytest.approx(500_000)


def test_a_frame_whose_start_bit_was_left_set_goes_out_at_once(chip: Mfrc522Chip) -> None:
    write(chip, Register.BIT_FRAMING, 0x80)
    write(chip, Register.FIFO_DATA, 0x26)
    write(chip, Register.COMMAND, Command.TRANSCEIVE)
    assert read(chip, Register.FIFO_LEVEL) == 0


def test_the_antenna_is_off_after_a_reset(chip: Mfrc522Chip) -> None:
    chip.field.put(Card("1E034A5B"))
    send(chip, b"\x26", framing=7)
    chip.sleep(0.01)
    assert not read(chip, Register.COM_IRQ) & 0x20


def test_crc_on_the_way_out_and_in_can_be_left_to_the_chip(chip: Mfrc522Chip) -> None:
    card = Card("1E034A5B")
    chip.field.put(card)
    write(chip, Register.TX_CONTROL, 0x83)
    send(chip, b"\x26", framing=7)
    chip.sleep(0.01)
    write(chip, Register.TX_MODE, 0x80)
    write(chip, Register.RX_MODE, 0x80)
    send(chip, b"\x93\x70" + card.levels[0])
    chip.sleep(0.01)
    assert read(chip, Register.FIFO_LEVEL) == 1
    assert read(chip, Register.FIFO_DATA) == 0x08
    assert not read(chip, Register.ERROR)


@pytest.mark.parametrize(("values_after_collision", "first"), [(0x80, 0x05), (0x00, 0x01)])
def test_a_collision_sets_its_position_and_may_clear_the_rest(
    chip: Mfrc522Chip, values_after_collision: int, first: int
) -> None:
    chip.field.put(Card("01000000"))
    chip.field.put(Card("05000000"))
    write(chip, Register.TX_CONTROL, 0x83)
    write(chip, Register.COLL, values_after_collision)
    send(chip, b"\x26", framing=7)
    chip.sleep(0.01)
    send(chip, b"\x93\x20")
    chip.sleep(0.01)
    assert read(chip, Register.ERROR) & 0x08
    assert read(chip, Register.COLL) == values_after_collision | 3
    assert read(chip, Register.FIFO_DATA) == first


def test_a_broken_bus_raises_and_a_new_cable_mends_it(chip: Mfrc522Chip) -> None:
    chip.break_bus()
    with pytest.raises(OSError, match="Input/output"):
        read(chip, Register.VERSION)
    chip.plug_in()
    assert read(chip, Register.VERSION) == 0x92
