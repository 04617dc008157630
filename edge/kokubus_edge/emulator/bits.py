"""A frame as it travels: bits, the first one sent at the low end."""

from __future__ import annotations

from dataclasses import dataclass

ETU_US = 128 / 13.56  # one bit at 106 kbit/s


@dataclass(frozen=True, slots=True)
class Bits:
    """`count` bits of `value`; `parity_ok` False if a byte's parity bit contradicts it."""

    value: int
    count: int
    parity_ok: bool = True

    @classmethod
    def of(cls, data: bytes, last_bits: int = 0) -> Bits:
        """All of `data`, or all but its last byte and `last_bits` bits of that."""
        count = 8 * len(data) - ((8 - last_bits) if last_bits else 0)
        return cls(int.from_bytes(data, "little") & (1 << count) - 1, count)

    def to_bytes(self) -> bytes:
        """Padded with zeros at the high end of the last byte."""
        return self.value.to_bytes((self.count + 7) // 8, "little")

    @property
    def air_us(self) -> float:
        """Microseconds on the air: every full byte carries a parity bit; start and end bit."""
        return (self.count + self.count // 8 + 2) * ETU_US
