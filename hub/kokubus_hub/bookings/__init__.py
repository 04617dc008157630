"""Bookings: who has a room when, and whether the doors know it."""
