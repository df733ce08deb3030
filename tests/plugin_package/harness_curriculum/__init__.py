"""A data set, a fixed model and a track from outside the harness."""
