"""Statistics of scores: intervals, tests, ranks. Knows arrays and seeds alone, nothing of challenges or records."""
