"""The report as one HTML page that needs nothing else: no script, no font, no image from anywhere."""

from __future__ import annotations

from html import escape
from importlib import resources
from string import Template

from training.evidence.report.contents import Block, Contents, Section
from training.evidence.report.drawing import Plot
from training.evidence.report.table import Table

# Tables whose cells are words are set flush left.
_LONG_CELL = 40


def render_page(contents: Contents) -> str:
    """Return the HTML document; the same contents give the same text."""
    template = resources.files("training.evidence.report").joinpath("page.html").read_text("utf-8")
    return Template(template).substitute(
        title=escape(f"{contents.model}: model report"),
        description=escape(contents.description),
        warnings="\n".join(f"<p class='warning'>{escape(text)}</p>" for text in contents.warnings),
        headline="".join(_headline_figure(name, figure) for name, figure in contents.headline.items()),
        headline_note=escape(contents.headline_note),
        links=" ".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section in contents.sections),
        sections="\n".join(map(_section, contents.sections)),
    )


def _headline_figure(name: str, figure: str) -> str:
    value, _, interval = figure.partition(" ")
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(interval)}</small></dd></div>"


def _section(section: Section) -> str:
    lines = [f'<section id="{section.name}"><h2>{escape(section.title)}</h2>']
    for title, blocks in section.parts.items():
        lines += [f"<h3>{escape(title)}</h3>"] if title else []
        lines += map(_block, blocks)
    return "\n".join(lines) + "</section>"


def _block(block: Block) -> str:
    if isinstance(block, Plot):
        return f'<figure><img src="{block.data_uri}" alt="{escape(block.alt)}"></figure>'
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, tuple):
        return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in block) + "</ul>"
    return f"<p>{escape(block)}</p>"


def _table(table: Table) -> str:
    is_words = any(len(cell) > _LONG_CELL for row in table.rows for cell in row[1:])
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    rows = []
    for place, (name, *cells) in enumerate(table.rows):
        marked = ' class="marked"' if place in table.marked else ""
        values = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr{marked}><th scope="row">{escape(name)}</th>{values}</tr>')
    start = '<table class="words">' if is_words else "<table>"
    body = f"{start}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    note = f"<p class='note'>{escape(table.note)}</p>" if table.note else ""
    return f"<div class='scroll'>{body}</div>{note}"
