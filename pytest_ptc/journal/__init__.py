"""A run's record on disk: sealed events, attempts, and what they come to."""
