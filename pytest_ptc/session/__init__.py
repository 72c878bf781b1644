"""One pytest session with workers: hooks, order, outcomes, and the life of its run."""
