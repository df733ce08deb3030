"""What ``scripts/gpu_acceptance`` does: steps, each in a process of its own, and the page about them."""
