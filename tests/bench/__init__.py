"""Benchmarks: `python -m tests.bench` from the checkout's root; see `__main__.py`."""

#: The variable that tells a probe where to write. It stands here because a probe must import
#: nothing whose import it may have to measure.
PROBE_FILE = "BENCH_PROBE_FILE"
