"""What is pinned and who takes part: challenges, submissions, their files."""
