"""Releases of data sets: rows, descriptions, card and licence in one folder that others can read without the harness.

``material`` gathers the rows and their specification, ``fit`` holds one against the other, ``describe`` writes every
description from both, ``write`` puts a release in place whole or not at all; ``validate`` reads it back, alone and through
the readers of others (``readers``), and ``diff`` says what two of them do not share.
"""
