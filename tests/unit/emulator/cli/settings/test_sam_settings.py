"""SAM CLI's variables and its configuration file, as they come into the commands' options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from emulator.cli.flags import Options, parse
from emulator.cli.settings.options import OptionError, parse_parameter_overrides
from emulator.cli.settings.sam_settings import with_sam_settings

pytestmark = pytest.mark.fidelity("sam-settings")

CONFIG = """
    version = 0.1
    [default.global.parameters]
    stack_name = "my-stack"
    region = "eu-west-3"
    [default.local_start_api.parameters]
    port = 3010
    warm_containers = "EAGER"
    disable_authorizer = true
    parameter_overrides = "A=1 B='two words'"
    add_host = ["one:1.2.3.4", "two:1.2.3.5"]
    skip_pull_image = false
    s3_bucket = "is for sam deploy"
    [default.local_invoke.parameters]
    function_logical_id = "Fn"
    event = "event.json"
    [other.local_start_api.parameters]
    template_file = "other.yaml"
    parameter_overrides = ["A=3", "B=4"]
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[Options, list[str]]]:
    """Return a function that gives the options of a command, and what is said of the settings."""
    (tmp_path / "samconfig.toml").write_text(dedent(CONFIG))

    def _read(*words: str, **environ: str) -> tuple[Options, list[str]]:
        words = (*words, "-t", str(tmp_path / "template.yaml")) if "-t" not in words else words
        settings = with_sam_settings(words, environ)
        return parse(settings.words), settings.notes

    return _read


def test_a_commands_section_and_the_global_one_take_effect(read: Callable[..., tuple[Options, list[str]]]) -> None:
    options, notes = read("start-api")
    assert (options.api_port, options.region, options.disable_authorizer) == (3010, "eu-west-3", True)
    assert parse_parameter_overrides(options.parameter_overrides) == {"A": "1", "B": "two words"}
    assert options.ignored == ("--add-host", "--add-host")
    unknown, taken = notes
    assert unknown.endswith("[default.local_start_api]: s3_bucket has no effect here")
    assert "sets region, port, warm_containers, disable_authorizer, parameter_overrides" in taken
    assert "stack_name" not in taken


def test_what_the_command_line_says_comes_first(read: Callable[..., tuple[Options, list[str]]]) -> None:
    options, _ = read("start-api", "-p", "0", "--region", "us-west-2", "--parameter-overrides", "C=3")
    assert (options.api_port, options.region) == (0, "us-west-2")
    assert parse_parameter_overrides(options.parameter_overrides) == {"C": "3"}


def test_a_variable_comes_before_the_file(read: Callable[..., tuple[Options, list[str]]], tmp_path: Path) -> None:
    mine = {"SAM_TEMPLATE_FILE": str(tmp_path / "mine.yaml"), "SAM_SKIP_PULL_IMAGE": "1", "SAM_FORCE_IMAGE_BUILD": "0"}
    settings = with_sam_settings(["start-api", "--config-env", "other"], mine)
    options = parse(settings.words)
    assert options.template == tmp_path / "mine.yaml", "the file of its folder names another one"
    assert parse_parameter_overrides(options.parameter_overrides) == {"A": "3", "B": "4"}
    assert options.ignored == ("--skip-pull-image",)
    given, _ = read("start-api", **mine)
    assert given.template == tmp_path / "template.yaml"


def test_invoke_takes_the_functions_name_from_the_file(read: Callable[..., tuple[Options, list[str]]]) -> None:
    options, _ = read("invoke")
    assert (options.function, options.event) == ("Fn", "event.json")
    options, _ = read("invoke", "Other")
    assert options.function == "Other"


def test_start_takes_its_own_section_or_else_that_of_start_api(
    read: Callable[..., tuple[Options, list[str]]], tmp_path: Path
) -> None:
    assert read("start")[0].api_port == 3010
    (tmp_path / "samconfig.toml").write_text(dedent(CONFIG) + "[default.local_start.parameters]\nport = 3020\n")
    assert read("start")[0].api_port == 3020
    assert read("start-api")[0].api_port == 3010


def test_files_in_yaml_and_named_files(read: Callable[..., tuple[Options, list[str]]], tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").unlink()
    assert read("start-api")[1] == []
    yaml = "default: {local_start_api: {parameters: {port: 3030, parameter_overrides: {A: two words, B: true}}}}"
    (tmp_path / "samconfig.yaml").write_text(yaml)
    options, _ = read("start-api")
    assert options.api_port == 3030
    assert parse_parameter_overrides(options.parameter_overrides) == {"A": "two words", "B": "true"}
    (tmp_path / "mine.toml").write_text("[default.local_start_api.parameters]\nport = 3040\n")
    assert read("start-api", "--config-file", "mine.toml")[0].api_port == 3040
    assert read("start-api", "--no-config")[0].api_port == 3000


def test_what_cant_be_used_is_said(read: Callable[..., tuple[Options, list[str]]], tmp_path: Path) -> None:
    assert (
        "has no environment 'prod'; it has version, default, other" in read("start-api", "--config-env", "prod")[1][0]
    )
    with pytest.raises(OptionError, match=r"--config-file nowhere\.toml: .* doesn't exist"):
        read("start-api", "--config-file", "nowhere.toml")
    path = tmp_path / "samconfig.toml"
    for text, message in (
        ("[default", r"samconfig\.toml can't be read"),
        ("[default.local_start_api.parameters]\nport = 'x'", r"\[default\.local_start_api\]: port can't be 'x'"),
    ):
        path.write_text(text)
        with pytest.raises(OptionError, match=message):
            read("start-api")
