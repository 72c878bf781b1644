"""The options, as the documentation shows them."""

from __future__ import annotations

from pytest_ptc.collection.options import all_options, report_option
from pytest_ptc.model.reports import REPORTS
from pytest_ptc.text.markdown import markdown_table


def options_table() -> str:
    """Return the options as the Markdown table of `docs/reference/options.md`."""
    return markdown_table(
        ("command line", "ini", "default", "meaning"),
        (
            (
                f"`{option.cli}`" if option.flag else "",
                f"`{option.ini}`",
                _shown(option.default),
                option.help + (f"; environment `{option.env}`" if option.env else ""),
            )
            for option in (*all_options(), *map(report_option, REPORTS))
        ),
    )


def _shown(default: object) -> str:
    if default in (None, "", ()):
        return ""
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"
