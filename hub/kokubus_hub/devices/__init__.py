"""Devices: how they enrol, and what is asked of them from afar."""
