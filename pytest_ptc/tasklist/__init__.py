"""The shared list on disk: Claude Code's own directory and format."""
