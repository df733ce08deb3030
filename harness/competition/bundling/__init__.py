"""What participants get: rules, a challenge to practise on, a skeleton, the baselines; never a hidden row."""
