"""Other libraries' own tests, run with our baselines in the place of their methods: see docs/published.md."""
