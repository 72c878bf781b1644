"""The templates of the page: HTML beside this module, filled without a hole for any text.

A line break in a template, with the blanks around it, is none in the page: rows are many, and a
blank between two elements would be seen. What is put out is made printable and escaped, unless it
is `Markup`, which `markup` alone makes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from pytest_ptc.reporting.page.markup import shown

_BETWEEN = re.compile(r"(?<=[>}])\n(?=[<{])")


def asset(name: str) -> str:
    """Return a file of the page as it is in the package."""
    return (files("pytest_ptc.reporting.page") / name).read_text(encoding="utf-8")


def render(name: str, **values: object) -> str:
    return environment().get_template(name).render(values)


@lru_cache
def environment() -> Environment:
    """Return what the templates are read and compiled by."""
    return Environment(
        loader=FunctionLoader(lambda name: _without_breaks(asset(name))),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
    )


def _without_breaks(template: str) -> str:
    lines = (line.strip() for line in template.splitlines())
    return _BETWEEN.sub("", "\n".join(line for line in lines if line)).replace("\n", " ")
