"""The report as one HTML page that needs nothing else: no script, no font, no image from anywhere."""

from __future__ import annotations

from html import escape

from training.evidence.report.contents import Block, Bullets, Contents, Part, Section
from training.evidence.report.drawing import Plot
from training.evidence.report.tables import Table

_STYLE = """
:root { --ink: #22303c; --faint: #64727e; --line: #dfe4e8; --blue: #1f5fa8; --pale: #eef4fa; --red: #bf4b32; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
main { max-width: 57rem; margin: 0 auto; padding: 2.5rem 1.5rem 5rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 3.2rem 0 .8rem; padding-top: 1.1rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1rem; margin: 2rem 0 .5rem; }
p, ul { max-width: 46rem; margin: .5rem 0; }
ul { padding-left: 1.2rem; } li { margin: .35rem 0; }
a { color: var(--blue); text-decoration: none; } a:hover { text-decoration: underline; }
.lead { color: var(--faint); margin: 0 0 1.2rem; }
nav { margin: 1.6rem 0 0; font-size: .87rem; line-height: 1.9; }
nav a { margin-right: 1.1rem; display: inline-block; }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.6rem 0; }
.headline div { background: var(--pale); padding: .8rem 1rem; border-radius: 4px; }
.headline dt { font-size: .78rem; color: var(--faint); min-height: 2.4em; line-height: 1.3; }
.headline dd { margin: .15rem 0 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.headline small { display: block; font-size: .8rem; font-weight: 400; color: var(--faint); }
.warning { border-left: 4px solid var(--red); background: #fbf1ee; padding: .6rem 1rem; margin: .8rem 0; }
.scroll { overflow-x: auto; margin: .9rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .84rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .32rem .55rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child, .words th, .words td { text-align: left; }
thead th { font-weight: 600; color: var(--faint); border-bottom: 1px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: 400; } tr.marked th, tr.marked td { background: var(--pale); font-weight: 600; }
td { white-space: nowrap; } .words td { white-space: normal; overflow-wrap: anywhere; }
.note { font-size: .8rem; color: var(--faint); margin: .3rem 0 1.2rem; max-width: 50rem; }
figure { margin: 1rem 0; } figure img { width: 100%; height: auto; display: block; }
@media print { main { max-width: none; padding: 0; } nav { display: none; } h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; } body { font-size: 11px; } }
"""

# Tables whose cells are words are set flush left.
_LONG_CELL = 40


def render_page(contents: Contents) -> str:
    """Return the page.

    Parameters
    ----------
    contents : Contents
        What it says.

    Returns
    -------
    str
        An HTML document; the same contents give the same text.
    """
    title = f"{contents.model}: model report"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
            f"<header><h1>{escape(title)}</h1><p class='lead'>{escape(contents.description)}</p>",
            *(f"<p class='warning'>{escape(text)}</p>" for text in contents.warnings),
            _headline(contents),
            f"<p class='note'>{escape(contents.headline_note)}</p>",
            "<nav>"
            + " ".join(f'<a href="#{one.name}">{escape(one.title)}</a>' for one in contents.sections)
            + "</nav></header>",
            *map(_section, contents.sections),
            "</main></body></html>",
            "",
        )
    )


def _headline(contents: Contents) -> str:
    cells = []
    for name, figure in contents.headline.items():
        value, _, interval = figure.partition(" ")
        cells.append(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(interval)}</small></dd></div>")
    return f"<dl class='headline'>{''.join(cells)}</dl>"


def _section(section: Section) -> str:
    parts = "\n".join(map(_part, section.parts))
    return f'<section id="{section.name}"><h2>{escape(section.title)}</h2>\n{parts}</section>'


def _part(part: Part) -> str:
    heading = f"<h3>{escape(part.title)}</h3>\n" if part.title else ""
    return heading + "\n".join(map(_block, part.blocks))


def _block(block: Block) -> str:
    if isinstance(block, Plot):
        return f'<figure><img src="{block.data_uri}" alt="{escape(block.alt)}"></figure>'
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in block.items) + "</ul>"
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
