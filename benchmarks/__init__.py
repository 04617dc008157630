"""What `scripts/bench` runs. Every figure stands beside a raw limit measured in the same run."""
