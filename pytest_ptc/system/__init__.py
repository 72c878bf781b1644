"""The edges to the machine: files, processes, threads, git, and pytest's internals."""
