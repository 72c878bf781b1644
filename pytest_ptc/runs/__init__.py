"""Recorded runs: find, audit, stop, clean."""
