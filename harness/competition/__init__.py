"""A competition's life: what is frozen, taken in, scored by phases, announced."""
