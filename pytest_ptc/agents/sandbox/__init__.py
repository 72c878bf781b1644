"""The sandbox of an agent: what it sees of the machine, and how bubblewrap is told.

`arguments` decides without looking, `view` looks at the machine, `sandbox` puts both together.
"""
