"""Writes into docs/emulator-fidelity.md which tests hold each behaviour, and how SAM CLI differs.

python -m tests.fidelity

A behaviour of the page ends in a footnote, ``[^throttling]``; its tests are marked ``fidelity("throttling")``.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.e2e.differential.allowance import Allowed
from tests.e2e.differential.doors import DOORS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "emulator-fidelity.md"
_MARKER = "pytest.mark.fidelity"
_WIDTH = 120


def marked_tests(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return behaviour → its tests, each as the file, relative to the project, and the name (empty for a whole file).

    Parameters
    ----------
    folder : Path
        Its files ``test_*.py`` are read, not run.
    """
    tests: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        file = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
                name, expressions = "", node.value.elts if isinstance(node.value, ast.List) else [node.value]
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name, expressions = node.name, node.decorator_list
            else:
                continue
            for behaviour in _behaviours(expressions):
                tests[behaviour].append((file, name))
    return dict(tests)


def render_footnotes(tests: Mapping[str, Iterable[tuple[str, str]]]) -> str:
    """Return one footnote for each behaviour, with links to its tests."""
    notes = []
    for behaviour, places in sorted(tests.items()):
        links = [f"[{name or Path(file).name}](../{file})" for file, name in places]
        notes.append(f"[^{behaviour}]: " + ",\n    ".join(links) + "\n")
    return "".join(notes)


def render_differences(table: Iterable[Allowed]) -> str:
    """Return the differences that the test against SAM CLI allows, as a list."""
    return "".join(
        _wrapped(f"**{entry.what}**", "- ")
        + _wrapped(f"SAM CLI 1.170: {entry.sam}", "  - ")
        + _wrapped(f"Here: {entry.here}", "  - ")
        + _wrapped(f"AWS: {entry.aws}", "  - ")
        for entry in table
    )


def up_to_date(page: str) -> str:
    """Return the page with the parts that this script writes as they should be now."""
    # An entry that several doors have is written once.
    differences = {entry.what: entry for door in DOORS for entry in door.allowed}
    page = _replace(page, "differences", render_differences(differences.values()))
    return _replace(page, "footnotes", render_footnotes(marked_tests(ROOT / "tests")))


def _behaviours(expressions: Iterable[ast.expr]) -> Iterator[str]:
    for expression in expressions:
        if isinstance(expression, ast.Call) and ast.unparse(expression.func) == _MARKER:
            yield from (ast.literal_eval(argument) for argument in expression.args)


def _wrapped(text: str, bullet: str) -> str:
    indent = " " * len(bullet)
    lines = textwrap.wrap(text, _WIDTH - len(bullet), break_long_words=False, break_on_hyphens=False)
    return bullet + f"\n{indent}".join(lines) + "\n"


def _replace(page: str, part: str, text: str) -> str:
    begin, end = f"<!-- written by tests/fidelity.py: {part} -->\n", f"<!-- end: {part} -->\n"
    if begin not in page or end not in page:
        raise ValueError(f"{PAGE.name} must have the lines {begin.strip()!r} and {end.strip()!r}")
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(up_to_date(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
