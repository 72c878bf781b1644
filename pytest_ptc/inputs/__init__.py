"""What a task's verdict depends on: files, programs, settings, and whether they have changed."""
