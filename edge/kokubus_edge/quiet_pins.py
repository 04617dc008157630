"""lgpio pins that do not click.

gpiozero 2.0.1 claims an lgpio output at low and raises it afterwards: the relay of an active-low
board is energised for a moment at every start (gpiozero pull request 1177). And it turns
outputs into floating inputs when they are closed, which leaves the relay to stray charge.
"""

from __future__ import annotations

from typing import Any

import lgpio
from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin


class QuietPin(LGPIOPin):  # type: ignore[misc]  # gpiozero publishes no types
    """An lgpio pin whose first level as an output is the one asked for, and whose last stays."""

    def output_with_state(self, state: bool) -> None:
        lgpio.gpio_claim_output(self.factory._handle, self._number, int(state))  # noqa: SLF001 - as LGPIOPin itself does

    def close(self) -> None:
        if self.function == "input":
            super().close()


def quiet_lgpio_factory() -> Any:
    """A pin factory of quiet pins; raises what lgpio raises where there are none."""
    factory = LGPIOFactory()
    factory.pin_class = QuietPin
    return factory
