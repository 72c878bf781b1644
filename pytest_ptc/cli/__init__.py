"""The program `ptc`."""
