"""Pages of HTML that need nothing beside themselves: figures are inline SVG, images inline PNG, styles inline CSS; there are no
scripts and nothing is fetched.

What a template is handed is escaped, whatever it says, but for figures that ``drawn`` marks as made by us.
"""
from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")


def rendered(template: str, **values: object) -> str:
    """The page of a file of ``templates``, which may refer only to what it is handed. Equal values give an equal page."""
    return _environment().get_template(template).render(values)


def drawn(svg: bytes) -> Markup:
    """A figure of ``wuxing.reports.plots``, to be put into a page as it is."""
    return Markup(svg.decode())


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                       lstrip_blocks=True, keep_trailing_newline=True)
