"""From what an agent has said to a verdict: the trust boundary."""
