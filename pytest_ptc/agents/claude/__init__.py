"""Agent `claude`: Claude Code itself, warm, and unable to finish without a verdict.

`recorder.py` decides what the model may record, `events.py` and `diagnosis.py` what the client's
words come to, `narrative.py` what a person sees of them: all pure. `client.py` is the edge to the
client through claude-agent-sdk, `agent.py` runs tasks on it, `interactive.py` runs them on the real
screen instead.
"""
