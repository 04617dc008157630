"""A simulated network on one machine: real broker, hub and agents, pretended people and air."""
