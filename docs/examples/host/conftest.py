from dataclasses import replace

from pytest_ptc.hosts.process import ProcessHost


class NiceHost(ProcessHost):
    """Child processes that leave the processor to others."""

    name = "nice"

    def start(self, plan):
        """Start a worker, and return what stands for it."""
        return super().start(replace(plan, argv=("/usr/bin/nice", "-n", "10", *plan.argv)))


def pytest_ptc_make_host(config, settings, run_id):
    return NiceHost() if settings.host == "auto" else None
