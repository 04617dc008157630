"""Rooms: how many people are in each, why that is believed, and who may say better."""
