"""The static site over published boards: a start page, pages of tracks, challenges, rows and data sets.

Built from the boards' JSON files, and from the runs where they are at hand. No server; no page loads anything from elsewhere,
and each works without JavaScript.
"""
