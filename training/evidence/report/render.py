"""Renders an outline as an HTML page or in Markdown; that of a version's report both ways."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import Any

from training.evidence.gathering import Evidence
from training.evidence.report import plots, record_tables, tables

_PACKAGE = "training.evidence.report"


def render_page(evidence: Evidence) -> str:
    """Return the HTML document. The same evidence gives the same text."""
    return render_outline("page.html", "outline.jinja", **_context(evidence), kind="model report")


def render_card(evidence: Evidence) -> str:
    """Return the Markdown document: the page's words and tables, without its plots."""
    card = render_outline("card.md", "outline.jinja", **_context(evidence))
    return re.sub(r"\n{3,}", "\n\n", card).strip() + "\n"


def render_outline(template: str, outline: str, package: str = _PACKAGE, **context: Any) -> str:
    """Return a document: an outline's sections, tables and plots in the look of a template.

    Parameters
    ----------
    template : str
        ``page.html`` or ``card.md``.
    outline : str
        The outline's file, among the templates of ``package``.
    **context
        What the outline names. ``page.html`` wants ``model`` and ``kind``, which are its title, ``titles`` of the
        sections by name, and ``evidence``, which is handed to each plot; ``style`` is a file with more CSS, if any.
    """
    # Imported here: only a report needs it.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in dict.fromkeys((_PACKAGE, package))]),
        autoescape=template.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return str(environment.get_template(template).render(outline=outline, **context))


def _context(evidence: Evidence) -> dict[str, Any]:
    texts: dict[str, Any] = _read_texts()
    titles = texts.pop("titles")
    if evidence.explained is None:
        del titles["reasons"]
    manifest = evidence.manifest
    return {
        "model": f"{manifest.model} version {manifest.version}",
        "evidence": evidence,
        "plots": plots,
        "record_tables": record_tables,
        "tables": tables,
        "texts": texts,
        "titles": titles,
    }


def _read_texts() -> dict[str, Any]:
    """Return the texts and lists of ``statements.toml``; line ends in a text become spaces."""

    def joined(value: Any) -> Any:
        return " ".join(value.split()) if isinstance(value, str) else list(map(joined, value))

    document = tomllib.loads(resources.files(_PACKAGE).joinpath("statements.toml").read_text("utf-8"))
    return {name: value if name == "titles" else joined(value) for name, value in document.items()}
