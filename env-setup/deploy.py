"""Deploy what `sam build` built, with a revision that names it: `make deploy` runs this.

SAM publishes another version of the function for another `AutoPublishCodeSha256`. By itself it looks at the function's
code alone: a parameter's new value, or new code in the layer, would be deployed and never reach the alias `live`. The
revision is a hash over all that a deployment consists of, so that each change is a version, and no change is none.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import re
import secrets
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

SAMCONFIG = Path("samconfig.toml")
_BUILD_FOLDER = ".aws-sam/build"
_REVISION = "Revision"
_PROJECT = "late-payer"
# What sam build builds for, and the template's default. It is always passed: CloudFormation would take the value of the
# deployment before for a parameter that isn't named, and so run these libraries on another processor.
_DEFAULT_ARCHITECTURE = "x86_64"
_ELF_MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}


class DeployError(ValueError):
    """A deployment can't begin; the message says what to do."""


def built_revision(build_folder: Path, parameters: dict[str, str], salt: str = "") -> str:
    """Return the SHA-256, in hexadecimal, of a folder's files and of the parameters' values.

    Parameters
    ----------
    build_folder : Path
        What `sam build` left: the functions, the layer, and the template with its defaults.
    parameters : dict of str to str
        The values that are given; the revision itself isn't counted.
    salt : str
        Makes another revision of the same build and values.

    Raises
    ------
    DeployError
        If nothing is built.
    """
    files = sorted(path for path in build_folder.rglob("*") if path.is_file())
    if not files:
        raise DeployError(f"{build_folder} holds no build; run sam build first.")
    digest = hashlib.sha256()
    for path in files:
        # The length before the content, so that no two different folders are the same sequence of bytes.
        content = path.read_bytes()
        digest.update(f"{path.relative_to(build_folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    for name, value in sorted(parameters.items()):
        if name != _REVISION:
            digest.update(f"{name}\0{value}\0".encode())
    digest.update(salt.encode())
    return digest.hexdigest()


def built_architectures(build_folder: Path) -> set[str]:
    """Return for which of Lambda's architectures the libraries in a folder were built, by the headers of their code."""
    built = set()
    for path in (path for path in build_folder.rglob("*.so*") if path.is_file()):
        with path.open("rb") as file:
            header = file.read(20)
        if header[:4] == b"\x7fELF":
            # In ELF's header, 18 bytes from its start, lies the machine: two bytes, the lower one first.
            machine = int.from_bytes(header[18:20], "little")
            built.add(_ELF_MACHINES.get(machine, f"ELF machine {machine}"))
    return built


def check_architecture(build_folder: Path, parameters: dict[str, str]) -> None:
    """Raise `DeployError` if a library was built for another architecture than the function's."""
    architecture = parameters["Architecture"]
    others = built_architectures(build_folder) - {architecture}
    if others:
        raise DeployError(
            f"{build_folder} was built for {', '.join(sorted(others))}, but Architecture is {architecture}. Give both: "
            f'make deploy PREDICT_ARCHITECTURE={architecture} PARAMETERS="Architecture={architecture}".'
        )


def check_names(build_folder: Path, parameters: Iterable[str]) -> None:
    """Raise `DeployError` if the built template lacks a parameter: SAM CLI would leave it out without a word."""
    # `sam build` writes the template, so that its form is known; this script runs without a reader of YAML.
    text = (build_folder / "template.yaml").read_text(encoding="utf-8")
    section = re.search(r"^Parameters:\n((?:[ #].*\n|\n)*)", text, re.MULTILINE)
    names = re.findall(r"^  (\w+):", section[1] if section else "", re.MULTILINE)
    for name in parameters:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            advice = f"did you mean {near[0]}?" if near else f"it has {', '.join(names)}."
            raise DeployError(f"The template has no parameter {name}; {advice}")


def read_parameters(words: Iterable[str]) -> dict[str, str]:
    """Return the parameters that words of the form NAME=VALUE give; the last word for a name counts.

    Raises
    ------
    DeployError
        If a word is of another form, or its value can't be passed on.
    """
    parameters = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise DeployError(f"A parameter is given as NAME=VALUE, not {word!r}.")
        if "\\" in value:
            raise DeployError(f"SAM CLI changes backslashes in values; {name} can't have one.")
        parameters[name] = value
    return parameters


def deployment(config: dict[str, object], environment: str, words: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """Return the folder that is deployed and the parameters' values, which words replace.

    Parameters
    ----------
    config : dict
        What samconfig.toml holds.
    environment : str
        One of its environments.
    words : sequence of str
        NAME=VALUE, from the command line.

    Raises
    ------
    DeployError
        If samconfig.toml has no such environment to deploy, or a word isn't NAME=VALUE.
    """
    section = config.get(environment)
    if not isinstance(section, dict) or "deploy" not in section:
        names = ", ".join(name for name, part in config.items() if isinstance(part, dict) and "deploy" in part)
        raise DeployError(f"{SAMCONFIG} has no environment {environment} to deploy; it has {names}.")
    given = shlex.split(section["deploy"]["parameters"].get("parameter_overrides", ""))
    build = section.get("build", {}).get("parameters", {})
    parameters = {"Architecture": _DEFAULT_ARCHITECTURE, **read_parameters([*given, *words])}
    return Path(build.get("build_dir", _BUILD_FOLDER)), parameters


def _quoted(value: str) -> str:
    """Return a value as SAM CLI reads it. It isn't a shell: it takes double quotes off, and knows one escape."""
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `sam deploy` with the revision of what is built; return its exit code, or 2 if it can't begin."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config-env", default="default", help="environment of samconfig.toml")
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE", help="template parameters, before samconfig.toml's")
    parser.add_argument("--yes", action="store_true", help="deploy without asking")
    parser.add_argument("--renew", action="store_true", help="publish a version even if nothing has changed")
    options = parser.parse_args(arguments)
    try:
        config = tomllib.loads(SAMCONFIG.read_text(encoding="utf-8"))
        folder, parameters = deployment(config, options.config_env, options.words)
        check_architecture(folder, parameters)
        salt = secrets.token_hex() if options.renew else ""
        parameters[_REVISION] = built_revision(folder, parameters, salt)
        check_names(folder, parameters)
    except DeployError as error:
        sys.stderr.write(f"deploy: {error}\n")
        return 2
    sys.stdout.write(f"Revision {parameters[_REVISION]}\n")
    sys.stdout.flush()
    overrides = [f"{name}={_quoted(value)}" for name, value in parameters.items()]
    confirmation = ["--no-confirm-changeset"] if options.yes else []
    # SAM CLI looks for its configuration beside the template, which here is the built one.
    command = ["sam", "deploy", "--config-file", str(SAMCONFIG.absolute()), "--config-env", options.config_env]
    command += ["--template-file", str(folder / "template.yaml")]
    # A deployment that changes nothing has succeeded.
    command += ["--no-fail-on-empty-changeset", *confirmation, "--parameter-overrides", *overrides]
    # CloudFormation gives a stack's tags to each of its resources that can have tags.
    command += ["--tags", f"Project={_PROJECT}", f"Stage={parameters.get('Stage', 'dev')}"]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
