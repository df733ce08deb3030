"""Intervals, comparisons and ranks of which the seed is the unit: see docs/statistics.md.

A row is ``Mapping[int, float]``, seed number -> score. Rows are aligned by seed number and never by position.
"""
