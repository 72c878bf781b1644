"""The nouns of a run and their errors. Pure."""
