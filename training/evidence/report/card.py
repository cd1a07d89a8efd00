"""The model card: the report's words and tables in Markdown, without its plots."""

from __future__ import annotations

from training.evidence.report.contents import Block, Bullets, Contents, Section
from training.evidence.report.drawing import Plot
from training.evidence.report.tables import Table


def render_card(contents: Contents) -> str:
    """Return the model card.

    Parameters
    ----------
    contents : Contents
        What it says.
    """
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
    for part in section.parts:
        blocks = [text for text in map(_block, part.blocks) if text]
        if blocks:
            lines += [f"### {part.title}"] if part.title else []
            lines += blocks
    return lines


def _block(block: Block) -> str:
    if isinstance(block, Plot):
        return ""
    if isinstance(block, Bullets):
        return "\n".join(f"- {item}" for item in block.items)
    return _table(block) if isinstance(block, Table) else block


def _table(table: Table) -> str:
    rows = [[f"**{cell}**" if place in table.marked else cell for cell in row] for place, row in enumerate(table.rows)]
    rule = ["---", *("---:" for _ in table.columns[1:])]
    text = "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in (table.columns, rule, *rows))
    return f"{text}\n\n{table.note}" if table.note else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
