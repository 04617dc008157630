"""Events: taps, answers, what the doors did, and passages."""
