"""The edge to git."""
