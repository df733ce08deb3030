"""From a challenge and a submission to a record: cells, scores, statistics, verdicts."""
