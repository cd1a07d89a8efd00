"""Renders the report of a version from one outline, as an HTML page and as a model card in Markdown."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import Any

from training.evidence.gathering import Evidence
from training.evidence.report import plots, record_tables, tables


def render_page(evidence: Evidence) -> str:
    """Return the HTML document. The same evidence gives the same text."""
    return _render("page.html", evidence, is_html=True)


def render_card(evidence: Evidence) -> str:
    """Return the Markdown document: the page's words and tables, without its plots."""
    return re.sub(r"\n{3,}", "\n\n", _render("card.md", evidence, is_html=False)).strip() + "\n"


def _render(template: str, evidence: Evidence, *, is_html: bool) -> str:
    # Imported here: only a report needs it.
    import jinja2

    texts: dict[str, Any] = _read_texts()
    titles = texts.pop("titles")
    if evidence.explained is None:
        del titles["reasons"]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("training.evidence.report"),
        autoescape=is_html,  # noqa: S701 -- Markdown isn't escaped
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    manifest = evidence.manifest
    return str(
        environment.get_template(template).render(
            model=f"{manifest.model} version {manifest.version}",
            evidence=evidence,
            plots=plots,
            record_tables=record_tables,
            tables=tables,
            texts=texts,
            titles=titles,
        )
    )


def _read_texts() -> dict[str, Any]:
    """Return the texts and lists of ``statements.toml``; line ends in a text become spaces."""

    def joined(value: Any) -> Any:
        return " ".join(value.split()) if isinstance(value, str) else list(map(joined, value))

    document = tomllib.loads(resources.files("training.evidence.report").joinpath("statements.toml").read_text("utf-8"))
    return {name: value if name == "titles" else joined(value) for name, value in document.items()}
