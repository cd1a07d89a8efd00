"""Finds and reads a template's files: YAML with CloudFormation's short forms, or JSON. Resolves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulator.strict_json import read_json
from emulator.template.errors import TemplateError

BUILT_TEMPLATE = Path(".aws-sam/build/template.yaml")
# What SAM CLI looks for, in this order, where no template is named.
_TEMPLATES = (BUILT_TEMPLATE, Path("template.yaml"), Path("template.yml"), Path("template.json"))
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_TEXT = "tag:yaml.org,2002:str"
_TAGS_OF_PLAIN_KEYS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "null"))


def find_template(folder: Path) -> Path:
    """Return the template of a folder: the built one, else the source; raise `TemplateError` if it has none."""
    for name in _TEMPLATES:
        if (folder / name).is_file():
            return folder / name
    raise TemplateError(f"{folder.resolve()} has no template.yaml, template.yml or template.json: name one with -t")


def read_template_file(path: Path) -> dict[str, Any]:
    """Return a file's content, with short forms such as ``!Ref`` written out; raise `TemplateError` if it has none.

    Dates, times and all keys stay the text that is written there, as in CloudFormation.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        content = _read(text)
    except FileNotFoundError as error:
        raise TemplateError(f"{path} doesn't exist") from error
    except (ValueError, OSError) as error:
        raise TemplateError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{path} isn't a template: it has no Resources")
    return content


def _read(text: str) -> Any:
    """Return the value that a text says in YAML or JSON; raise `ValueError` if it is neither."""
    if text.lstrip().startswith("{"):
        try:
            # Tabs, which JSON allows between its values, are an error in YAML.
            return read_json(text)
        except ValueError:
            pass  # It may be YAML's flow style.
    import yaml
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    # The parser in C is seven times as fast, but not every build of PyYAML has it.
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Reads short forms, and leaves dates and keys as text."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """Return a mapping; PyYAML calls it. Its keys are text, also those that look like a number or a switch."""
            self.flatten_mapping(node)
            for key, _ in node.value:
                if key.tag in _TAGS_OF_PLAIN_KEYS:
                    key.tag = _TEXT
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_multi_constructor("!", intrinsics_multi_constructor)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error
