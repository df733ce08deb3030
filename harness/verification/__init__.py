"""Whether what is shown is what was run: scores recomputed from kept cells, and nothing believed."""
