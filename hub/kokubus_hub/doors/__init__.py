"""Doors: how they stand, and opening them from afar."""
