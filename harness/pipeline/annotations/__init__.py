"""What several people said of the same rows: measured, taken in as a data set, and asked for.

``ballots`` holds votes as arrays, ``reading`` and ``label_studio`` read them; ``agreement``, ``kappa`` and ``consensus`` are the
statistics, ``report`` puts them together and ``showing`` shows them; ``taking`` writes a data set of votes, ``asking`` a Label
Studio project of the rows to be labelled next.
"""
