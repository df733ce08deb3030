"""Before it opens: the secret put where nobody else sees it, all that decides locked; after the end, the secret published."""
