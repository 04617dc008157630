"""docs/protocol.md says what the code does."""

from kokubus_cli import protocol


def test_the_page_is_what_the_messages_say_today() -> None:
    assert protocol.TARGET.read_text() == protocol.document(), (
        "docs/protocol.md is out of date: run `python -m kokubus_cli.protocol`"
    )
