"""What a person or a pipeline sees of a run."""
