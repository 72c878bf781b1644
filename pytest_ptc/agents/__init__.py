"""What does a task."""
