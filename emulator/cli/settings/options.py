"""Reads the values of the commands' flags, in the forms that `sam local` takes; `OptionError` refuses others.

Pure but for reading files, environment variables and a profile's credentials.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from emulator.lambda_service.data_plane.event_queue.retries import RetryWaits
from emulator.lambda_service.data_plane.faults import Fault, read_faults
from emulator.strict_json import read_json
from emulator.template.errors import ProjectError
from emulator.template.functions import VARIABLES
from emulator.template.project import Project
from emulator.template.values import as_text

S3_ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_S3"
_EVERY_FUNCTION = "Parameters"


class OptionError(ProjectError):
    """The value of an option, or the file that it names, can't be used."""


def parse_parameter_overrides(words: Iterable[str]) -> dict[str, str]:
    """Return template parameters from ``K=V K2=V2`` or ``ParameterKey=K,ParameterValue=V …``, quotes allowed."""
    overrides: dict[str, str] = {}
    for word in words:
        try:
            pairs = shlex.split(word)
        except ValueError as error:
            raise OptionError(f"--parameter-overrides {word!r}: {error}") from error
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if name == "ParameterKey" and ",ParameterValue=" in value:
                name, _, value = value.partition(",ParameterValue=")
            if not equals or not name:
                raise OptionError(f"--parameter-overrides takes K=V pairs, not {pair!r}")
            overrides[name] = value
    return overrides


def read_env_vars(path: Path | None) -> dict[str, dict[str, str]]:
    """Read an ``--env-vars`` file: ``{"Parameters": {…}}``, ``{"FunctionName": {…}}`` or both."""
    if path is None:
        return {}
    with _naming_the_file("--env-vars", path):
        content = read_json(path.read_bytes())
    if not isinstance(content, dict) or not all(isinstance(variables, dict) for variables in content.values()):
        raise OptionError(f"--env-vars {path}: must be an object of objects, by function or under {_EVERY_FUNCTION!r}")
    return {
        function: {name: as_text(value) for name, value in variables.items()} for function, variables in content.items()
    }


def read_values(path: Path | None) -> dict[str, Any]:
    """Read a ``--values`` file: an object of values by source, such as ``ssm:/app/url``."""
    if path is None:
        return {}
    with _naming_the_file("--values", path):
        content = read_json(path.read_bytes())
    if not isinstance(content, dict):
        raise OptionError(f'--values {path}: must be an object, {{"ssm:/app/url": "…"}}')
    return content


def with_variables(project: Project, env_vars: Mapping[str, Mapping[str, str]], s3_endpoint: str | None) -> Project:
    """Return the project with its functions' variables overridden.

    As with SAM CLI, only variables that the template declares can be overridden; a note names the others. A function
    without an S3 endpoint of its own gets ``s3_endpoint``.
    """
    functions = {}
    notes, given = list(project.notes), set()
    for logical_id, spec in project.functions.items():
        variables = dict(spec.environment)
        own_overrides = {**env_vars.get(spec.name, {}), **env_vars.get(logical_id, {})}
        overrides = {**env_vars.get(_EVERY_FUNCTION, {}), **own_overrides}
        variables |= {name: value for name, value in overrides.items() if name in variables}
        given |= {(logical_id, VARIABLES + name) for name in overrides}
        notes += [
            f"{logical_id}: --env-vars sets {name}, which the template doesn't declare; it is ignored, as by SAM CLI"
            for name in own_overrides
            if name not in variables
        ]
        if s3_endpoint is not None and not variables.get(S3_ENDPOINT_VARIABLE):
            variables[S3_ENDPOINT_VARIABLE] = s3_endpoint
        changed = {name: value for name, value in variables.items() if value != spec.environment.get(name)}
        # They have no counterpart on AWS, and a restart with others must take effect.
        version_id = f"{spec.version_id} {json.dumps(changed, sort_keys=True)}" if changed else spec.version_id
        functions[logical_id] = dataclasses.replace(spec, environment=variables, version_id=version_id)
    # Of a variable with a value of the user's, nothing is left out.
    left_out = tuple(part for part in project.left_out if (part.logical_id, part.property) not in given)
    return dataclasses.replace(project, functions=functions, notes=tuple(notes), left_out=left_out)


def machine_variables(region: str | None, profile: str | None) -> dict[str, str]:
    """Return this process's environment variables, with a region and a profile's credentials in place of its own."""
    machine = dict(os.environ)
    if profile is not None:
        # Imported here: importing botocore takes half a second, and is only needed for a profile.
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        try:
            session = Session(profile=profile)
            credentials = session.get_credentials()
            if credentials is None:
                raise OptionError(f"--profile {profile}: the profile has no credentials; add them with aws configure")
            keys = credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise OptionError(f"--profile {profile}: {error}") from error
        machine |= {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
        machine |= {"AWS_SESSION_TOKEN": keys.token or ""}
        region = region or session.get_config_variable("region")
    if region is not None:
        machine |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    return machine


def parse_retry_waits(text: str) -> RetryWaits:
    """Read ``60,120``: the seconds after the first and after the second failed attempt."""
    try:
        first, second = (float(word) for word in text.split(","))
    except ValueError:
        first = second = -1.0
    if not (0 <= first < float("inf") and 0 <= second < float("inf")):
        raise OptionError(f"--async-retry-waits takes two numbers of seconds, as in 60,120; not {text!r}")
    return RetryWaits((first, second))


def parse_seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.01 <= seconds <= 86_400:
        raise OptionError(f"an interval is a number of seconds from 0.01 to 86400, not {text!r}")
    return seconds


def read_faults_file(path: str) -> tuple[tuple[str, Fault], ...]:
    """Return the faults of a ``--faults`` file, by function, as ``PUT /_emulator/faults`` takes them."""
    with _naming_the_file("--faults", path):
        return tuple(read_faults(read_json(Path(path).read_bytes())))


def read_event(path: str | None, stdin: Any) -> bytes:
    """Return the event of ``-e``: the content of a file, of stdin for ``-``, and ``{}`` without ``-e``."""
    if path is None:
        return b"{}"
    with _naming_the_file("-e", path):
        content: bytes = stdin.read() if path == "-" else Path(path).read_bytes()
        read_json(content)
    return content


@contextlib.contextmanager
def _naming_the_file(flag: str, path: object) -> Iterator[None]:
    """Turn an error of reading a file into an `OptionError` that names the flag and the file."""
    try:
        yield
    except OSError as error:
        raise OptionError(f"{flag} {path}: the file can't be read ({error.strerror or error})") from error
    except json.JSONDecodeError as error:
        raise OptionError(f"{flag} {path}: the file isn't JSON: {error}") from error
    except ValueError as error:
        raise OptionError(f"{flag} {path}: {error}") from error
