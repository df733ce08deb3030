"""What many cells, runs and machines cost: ``scripts/scale``."""
