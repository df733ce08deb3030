"""While it goes on: what teams hand in is read, told apart, written down, run and reported."""
