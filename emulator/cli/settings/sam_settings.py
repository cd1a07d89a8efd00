"""Adds to a command line what SAM CLI's environment variables and its configuration file, ``samconfig.toml``, set.

What the command line says comes first, then a variable, then the file's section of the command, then its ``global``
section, as with SAM CLI.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emulator.cli.flags import DEFAULT_TEMPLATE, WITHOUT_EFFECT, Options, parse, unknown_words
from emulator.cli.settings.options import OptionError
from emulator.template.source.files import BUILT_TEMPLATE
from emulator.template.values import as_text

_FILES = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
_DEFAULT_ENVIRONMENT = "default"
# Of our command `start` the first that exists.
_SECTIONS = {
    "start": ("local_start", "local_start_api"),
    "start-api": ("local_start_api",),
    "start-lambda": ("local_start_lambda",),
    "invoke": ("local_invoke",),
}
_VARIABLES = {
    "SAM_TEMPLATE_FILE": "template_file",
    "SAM_DEBUG": "debug",
    "SAM_DEBUG_PORT": "debug_port",
    "DEBUGGER_ARGS": "debug_args",
    "SAM_DOCKER_NETWORK": "docker_network",
    "SAM_DOCKER_VOLUME_BASEDIR": "docker_volume_basedir",
    "SAM_FORCE_IMAGE_BUILD": "force_image_build",
    "SAM_LAYER_CACHE_BASEDIR": "layer_cache_basedir",
    "SAM_SKIP_PULL_IMAGE": "skip_pull_image",
}
# Flags without a value, which variables and files may set by a word.
_SWITCHES = frozenset(("--disable-authorizer", "--no-watch", "--strict", *WITHOUT_EFFECT))
_TRUE = frozenset(("1", "true", "t", "yes", "y", "on"))
_FUNCTION = "function_logical_id"


class SamSettings(NamedTuple):
    """A command line with the settings from outside it, and messages about them."""

    words: list[str]
    notes: list[str]


def with_sam_settings(words: Sequence[str], environ: Mapping[str, str]) -> SamSettings:
    """Return a command line with what the variables and the configuration file add.

    Parameters
    ----------
    words : sequence of str
        The command line; its command is one that runs functions.
    environ : mapping
        The environment variables.

    Raises
    ------
    OptionError
        The configuration file can't be read, or the one that is named doesn't exist.
    SystemExit
        The command line itself is wrong; argparse has said where.
    """
    given = parse(words)
    by_variable = {key: environ[name] for name, key in _VARIABLES.items() if environ.get(name)}
    by_file: dict[str, Any] = {}
    notes: list[str] = []
    if not given.no_config:
        template = by_variable.get("template_file") if given.template == DEFAULT_TEMPLATE else None
        path = _find_file(Path(template or given.template).parent, given.config_file)
        if path is not None:
            by_file, notes = _read_section(path, given.command, given.config_env)
    added = [
        word
        for key, value in {**by_file, **by_variable}.items()
        # A list on the command line replaces the file's.
        if key != _FUNCTION and not isinstance(getattr(given, key, None) or None, list | tuple)
        for word in _words(key, value)
    ]
    function = by_file.get(_FUNCTION)
    if function is not None and given.command == "invoke" and given.function is None:
        added.append(str(function))
    return SamSettings([words[0], *added, *words[1:]], notes)


def stack_names(options: Options) -> list[str]:
    """Return the names of stacks in the configuration file, of every environment: whatever `sam deploy` would use."""
    if options.no_config:
        return []
    folder = Path() if options.template == BUILT_TEMPLATE else options.template.parent
    path = _find_file(folder, options.config_file)
    document = {} if path is None else _read(path)
    sections = [
        _parameters(environment, section)
        for environment in document.values()
        if isinstance(environment, dict)
        for section in environment
    ]
    names = (section.get("stack_name") for section in sections)
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _find_file(folder: Path, name: Path | None) -> Path | None:
    """Return the configuration file: the one that is named, else that of the template's folder, if it has one."""
    if name is None:
        return next((folder / file for file in _FILES if (folder / file).is_file()), None)
    path = folder / name
    if not path.exists():
        raise OptionError(f"--config-file {name}: {path} doesn't exist; the path is relative to the template's folder")
    return path


def _read_section(path: Path, command: str, environment: str | None) -> tuple[dict[str, Any], list[str]]:
    """Return what a configuration file says to a command, by SAM's key, with notes on what it says."""
    document, name = _read(path), environment or _DEFAULT_ENVIRONMENT
    content = document.get(name)
    if not isinstance(content, dict):
        message = f"{path} has no environment {name!r}; it has {', '.join(document)}"
        return {}, [message] if environment else []
    section = next((section for section in _SECTIONS[command] if section in content), _SECTIONS[command][-1])
    place = f"{path}, [{name}.{section}]"
    own, common = _parameters(content, section), _parameters(content, "global")
    unknown = [key for key, value in own.items() if not _is_known(place, command, key, value)]
    # The common ones may be meant for other commands.
    taken = {key: value for key, value in common.items() if _is_known(f"{path}, [{name}.global]", command, key, value)}
    taken |= {key: value for key, value in own.items() if key not in unknown}
    notes = [f"{place}: {key} has no effect here" for key in unknown]
    if taken:
        notes.append(f"{place}, sets {', '.join(taken)} (--no-config leaves the file out)")
    return taken, notes


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        document = _read_yaml(text) if path.suffix in (".yaml", ".yml") else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise OptionError(f"the configuration file {path} can't be read: {error}") from error
    return document if isinstance(document, dict) else {}


def _read_yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _parameters(content: Mapping[str, Any], section: str) -> dict[str, Any]:
    values = content.get(section)
    parameters = values.get("parameters") if isinstance(values, dict) else None
    return dict(parameters) if isinstance(parameters, dict) else {}


def _is_known(place: str, command: str, key: str, value: Any) -> bool:
    """Return whether a command knows a parameter; raise `OptionError` if its value is wrong."""
    if key == _FUNCTION:
        return command == "invoke"
    try:
        return not unknown_words([command, *_words(key, value)])
    except SystemExit:
        raise OptionError(f"{place}: {key} can't be {value!r}") from None


def _words(key: str, value: Any) -> list[str]:
    """Return a parameter as the words of a command line: SAM writes ``warm_containers`` for ``--warm-containers``."""
    flag = f"--{key.replace('_', '-')}"
    if flag in _SWITCHES and isinstance(value, str):
        value = value.lower() in _TRUE
    if isinstance(value, bool):
        return [flag] if value else []
    if isinstance(value, dict):
        value = [shlex.quote(f"{name}={as_text(item)}") for name, item in value.items()]
    return [f"{flag}={as_text(item)}" for item in (value if isinstance(value, list) else [value])]
