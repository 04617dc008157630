"""Occupancy at the hub: evidence is folded into a room's belief as it is recorded."""
