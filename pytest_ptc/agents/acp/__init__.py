"""Agent `acp`: any client of the Agent Client Protocol, warm, with a tool to record its verdict.

`clients.py` is the table of known clients, `setup.py` the configuration in pytest's process,
`node.py` what it asks of Node, and `surroundings.py` what a client is started with. `turn.py`,
`updates.py`, `permissions.py`, `mcp.py` and `diagnosis.py` decide. `connection.py` is the edge to
the client and `recorder.py` the server of the tool; `process.py` is one process of a client, and
`agent.py` runs tasks on it.
"""
