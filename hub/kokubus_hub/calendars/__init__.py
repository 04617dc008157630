"""Calendars and platforms: where bookings come from, and where they can be read."""
