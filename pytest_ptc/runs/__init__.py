"""Runs as their journals tell of them: find, audit, stop, clean."""
