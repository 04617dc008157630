"""Sites: where they stand, whether they are open, how many people are there."""
