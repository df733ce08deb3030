"""Tables that others printed, computed again: a module with ``rows()`` is one (see scripts/published and docs/published.md)."""
