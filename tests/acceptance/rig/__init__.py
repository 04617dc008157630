"""A real little network to try the whole system on: broker, hub, agents, and what breaks them."""
