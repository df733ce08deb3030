"""Data sets that are only YAML: an organiser's table, texts, images or arrays beside the configuration that names them.

``settings`` has the keys all kinds share, ``source`` finds and digests the files, ``sheet`` reads delimited files,
``roles`` makes labels and row attributes of columns, ``kept`` keeps what was read; then one module a kind.
"""
