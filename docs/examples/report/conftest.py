import csv
import io

from pytest_ptc.model.reports import ReportKind


def csv_text(run, target):
    """Return one line for each task: its node id, what became of it, and why."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["node id", "state", "reason"])
    writer.writerows([task.nodeid, task.state.value, task.reason.text] for task in run.worst_first)
    return file.getvalue()


def pytest_ptc_reports():
    return [ReportKind("csv", "a line for each task, as CSV,", csv_text)]
