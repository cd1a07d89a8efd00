"""The commands of ``peerloan`` by name. A command's module is imported when that command runs, and not before."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from peerloan.output import complain, wants_json

# What `peerloan --help` lists: the first sentence of each command's own help.
SUMMARIES = {
    "up": "Run the bucket and the API on this machine until Ctrl-C.",
    "train": "Train a model and save it as a folder that `publish` takes.",
    "publish": "Check a model and publish it as the next version.",
    "evaluate": "Measure a model on loans, as `publish` would, without publishing it.",
    "versions": "List the published versions, and which aliases use them.",
    "report": "Write an HTML report and a model card of a version.",
    "compare": "Compare two versions on the same loans.",
    "delete": "Delete a version that no alias uses.",
    "alias": "Show where an alias points, and move it.",
    "rollout": "Roll a version out in judged steps, which go back by themselves when a guard fails.",
    "retrain": "Make the next version: trained on newer loans, or recalibrated on outcomes.",
    "keys": "Make, list and trust publishers' keys.",
    "predict": "Ask the API about one record or one event.",
    "token": "Print a token of the local stack's own issuer, which an API with `make run AUTH=jwt` takes.",
    "score": "Score a file of any size.",
    "spark": "Score data sets and tally the prediction log on Spark.",
    "monitor": "Say how the version in charge is doing, and what is to be done about it.",
    "outcomes": "Import what became of loans, and list it.",
    "purge": "Remove a loan from the prediction log and the outcomes.",
    "decisions": "Find past decisions of a loan in the prediction log.",
    "audit": "Write everything about a period into one folder, and an index with the SHA-256 of each file.",
    "deploy": "Ship the function's code without losing a request.",
    "code": "Delete old versions of the function's code.",
    "status": "Say whether the API and the bucket answer, and which version is live.",
    "top": "Show the local environments, versions, requests and faults.",
    "demo": "Roll out a good version and four bad ones under load.",
    "demo-loop": "Live through a year of quarters: find what changes, and repair it.",
}
# Commands that share a module with another one.
_MODULES = {"code": "deploy", "delete": "versions", "token": "predict", "train": "evaluate"}


class CommandGroup(TyperGroup):
    """The commands of the table. An error that a user can act on ends in one line and its exit code."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the help."""
        return list(SUMMARIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Import a command's module and return the command, or None for an unknown name."""
        return load_command(cmd_name) if cmd_name in SUMMARIES else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; an unknown name is refused with the names that are close to it."""
        if args[0] not in SUMMARIES and (close := get_close_matches(args[0], SUMMARIES)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, close))}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn an expected error into its exit code."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from peerloan.errors import exit_code

            code = exit_code(error)
            if code is None:
                raise
            complain(error, as_json=wants_json(ctx))
            raise typer.Exit(code) from error


def load_command(name: str) -> Any:
    """Import a command's module and return the command."""
    function = name.replace("-", "_")
    command = getattr(import_module(f"peerloan.commands.{_MODULES.get(name, function)}"), function)
    if not isinstance(command, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(command)
        command = app
    return typer.main.get_command(command)


def check_text(text: str) -> str:
    """Return an option's text without blanks around it: blanks alone are no reason.

    Bytes that aren't UTF-8 are refused, since JSON documents can't hold them.
    """
    if not text.isascii():
        from model_artifact.record_rules import has_surrogate

        if has_surrogate(text):
            raise typer.BadParameter("the text isn't UTF-8")
    return text.strip()
