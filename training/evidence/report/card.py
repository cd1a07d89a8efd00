"""The model card: the report's words and tables in Markdown, without its plots."""

from __future__ import annotations

from training.evidence.report.contents import Contents, Section
from training.evidence.report.drawing import Plot
from training.evidence.report.table import Table


def render_card(contents: Contents) -> str:
    """Return the Markdown document."""
    lines = [
        f"# Model card: {contents.model}",
        contents.description,
        *(f"> **Note.** {text}" for text in contents.warnings),
        "\n".join(f"- {name}: **{figure}**" for name, figure in contents.headline.items()),
        contents.headline_note,
    ]
    for section in contents.sections:
        lines += _section(section)
    return "\n\n".join(lines) + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {section.title}"]
    for title, blocks in section.parts.items():
        texts = [_block(block) for block in blocks if not isinstance(block, Plot)]
        if texts:
            lines += [f"### {title}"] if title else []
            lines += texts
    return lines


def _block(block: str | tuple[str, ...] | Table) -> str:
    if isinstance(block, tuple):
        return "\n".join(f"- {item}" for item in block)
    return _table(block) if isinstance(block, Table) else block


def _table(table: Table) -> str:
    rows = [[f"**{cell}**" if place in table.marked else cell for cell in row] for place, row in enumerate(table.rows)]
    rule = ["---", *("---:" for _ in table.columns[1:])]
    text = "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in (table.columns, rule, *rows))
    return f"{text}\n\n{table.note}" if table.note else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
