"""Hardware that is not there: pins, badges, people and air."""
