"""What runs a run: the board, the schedule, and the loop that acts on it."""
