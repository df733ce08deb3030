"""A competition's life around the runs: what participants hand in, and what an organiser does with it."""
