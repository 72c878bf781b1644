"""The storm: a run under random faults, and the law that it has to keep; see `__main__.py`."""
