"""The command ``publish``: a trained model becomes the next version."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from model_registry.names import DEFAULT_ALIAS
from model_registry.writer import Publication
from peerloan.command_table import check_text
from peerloan.commands.versions import summary
from peerloan.errors import UsageError
from peerloan.gating import parse_requirement, prepare_gates
from peerloan.handover import Opened, check_options, publish_handover, threshold_rule
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import DEFAULT_KEY

FlagShareOption = Annotated[float | None, typer.Option(help="The threshold flags this share of the loans.")]
MissedLateOption = Annotated[float | None, typer.Option(help="What a late payer costs who was not called.")]
CallOption = Annotated[float | None, typer.Option(help="What a call costs; with --cost-missed-late.")]
ColumnsOption = Annotated[
    str | None, typer.Option(help="The ten columns in the order of a booster's own file that names them otherwise.")
]
ThresholdOption = Annotated[float | None, typer.Option(help="The threshold itself.")]
TrustPickleFlag = Annotated[bool, typer.Option("--trust-pickle", help="Open a pickle that brings code of its own.")]


def publish(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A folder that `train` wrote, a pickle, or a booster's own file.")],
    trained_on: Annotated[Path | None, typer.Option(help="The CSV file of loans that it was trained on.")] = None,
    tested_on: Annotated[Path | None, typer.Option(help="A CSV file of later loans, to measure it on.")] = None,
    flag_share: FlagShareOption = None,
    cost_missed_late: MissedLateOption = None,
    cost_call: CallOption = None,
    threshold: ThresholdOption = None,
    columns: ColumnsOption = None,
    reasons: Annotated[
        Path | None, typer.Option(help="A TOML file with words for some codes of reasons, or exclude = true.")
    ] = None,
    require: Annotated[
        str | None, typer.Option(help="Publish only what is better-than=ALIAS, or no-worse-than=ALIAS.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="The loans to judge on; --data once more for each further file. Else those of --tested-on."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Publish what --require refuses; takes --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why it is forced, for the manifest.", callback=check_text)] = "",
    key: Annotated[str, typer.Option(help="The key that signs the version; see `peerloan keys`.")] = DEFAULT_KEY,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Publish without a signature.")] = False,
    trust_pickle: TrustPickleFlag = False,
    no_arrays: Annotated[
        bool, typer.Option("--no-arrays", help="Serve the pickle, though the model has arrays.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check a model and publish it as the next version. No alias moves.

    The pickle is opened in a limited process of its own. A function opens it only if its publisher's key is trusted
    there; a model that is served from arrays needs no signature. A booster's own file is LightGBM's text, or XGBoost's
    JSON or UBJSON.

    With the loans, a pickle that was trained elsewhere gets what training would have measured: a threshold, figures,
    reasons, and warnings about unusual values. What its training.json says is measured again, or marked as claimed.

    Examples: peerloan publish models/improved --require better-than=live

    peerloan publish model.pkl --trained-on train.csv --tested-on test.csv --flag-share .1
    """
    workplace = replace(ctx.obj, key=None if unsigned else key)
    if force and not (require and reason.strip()):
        raise UsageError("--force goes with --require and with --reason TEXT, which is recorded.")
    if data and not require:
        raise UsageError("--data are the loans that --require judges on. Measure the model on --tested-on TEST.csv.")
    rule = threshold_rule(flag_share, cost_missed_late, cost_call, threshold)
    if require:
        parse_requirement(require)
    workplace.find_signer()
    # Imported here: it brings pandas, which takes longer than most commands.
    from training.handover import BARE_THRESHOLD, read_handover

    handover = read_handover(
        source,
        workplace.who,
        trained_on=trained_on,
        tested_on=tested_on,
        rule=rule,
        reasons=reasons,
        columns=column_names(columns),
    )
    check_options(handover)
    gates = prepare_gates(workplace, handover, require, data or (), reason if force else None) if require else None
    if gates is not None:
        handover = handover.tested_on(gates.loans)
    publication, opened = publish_handover(
        workplace, handover, gates, is_name_checked=not trust_pickle, has_arrays=not no_arrays
    )
    missing = _missing(opened)
    if as_json:
        facts = {"missing": missing, "limits": opened.inspection.limits}
        say_json({"created": publication.created, **summary(publication.manifest), **facts})
    else:
        _say(publication, opened, is_measured=handover.train is not None or handover.test is not None)
    _note_limits(opened)
    command = mending_command(ctx, has_threshold=opened.candidate.threshold != BARE_THRESHOLD)
    _note_what_is_missing(publication, missing, command)


def column_names(columns: str | None) -> list[str] | None:
    """Return the names that --columns lists."""
    return None if columns is None else [name.strip() for name in columns.split(",")]


def mending_command(ctx: typer.Context, *, has_threshold: bool) -> str:
    """Return the command with what it lacks: the loans, in capitals where no file was named, and a threshold's rule."""
    named = ctx.params
    loans = ["--trained-on", named["trained_on"] or "TRAIN.csv", "--tested-on", named["tested_on"] or "TEST.csv"]
    words = ["peerloan", "publish", named["source"], *loans]
    if not has_threshold:
        words += ["--flag-share", "0.1"]
    for option in ctx.command.params:
        name = str(option.name)
        origin = ctx.get_parameter_source(name)
        if origin and origin.name == "COMMANDLINE" and name not in ("source", "trained_on", "tested_on"):
            value = named[name]
            values = value if isinstance(value, list | tuple) else [value]
            words += [option.opts[0]] if value is True else [w for each in values for w in (option.opts[0], each)]
    return shlex.join(map(str, words))


def _missing(opened: Opened) -> list[str]:
    from training.handover import shortcomings

    return shortcomings(opened.candidate)


def _say(publication: Publication, opened: Opened, *, is_measured: bool) -> None:
    from training.evidence.summary import summarise

    manifest = publication.manifest
    if not publication.created:
        say(f"Version {manifest.version} is this very model already; nothing was written.")
        return
    if is_measured:
        say("\n".join(summarise(opened.candidate, opened.inspection)))
    signed = f"signed by {manifest.signature.key_id}" if manifest.signature else "unsigned"
    say(f"Published version {manifest.version} ({manifest.artifact.size_bytes:,} bytes, {signed}).")
    if manifest.serving_form is None:
        say(f"It is served from its pickle: {manifest.why_no_serving_form or 'it has no arrays'}.")
        note("Spark, and the function that scores files in a bucket, refuse it; peerloan score takes it.")
        if manifest.reasons and manifest.reasons.wording:
            note("A pickle gives no reasons, so --reasons has no effect on this version.")
    say(f"Roll it out: peerloan rollout start {DEFAULT_ALIAS} --to {manifest.version}")
    say(f"Or shift to it at once: peerloan alias set {DEFAULT_ALIAS} --version {manifest.version}")


def _note_limits(opened: Opened) -> None:
    """Say under which limits the pickle was opened, and which this system hasn't."""
    from model_artifact.opening.confinement import LIMITS

    limits = opened.inspection.limits
    if limits is not None:
        lacks = [limit for limit in LIMITS if limit not in limits]
        unlimited = f" Not limited by this system: {', '.join(lacks)}." if lacks else ""
        note(f"The model was opened with limited {', '.join(limits) or 'nothing'}.{unlimited}")


def _note_what_is_missing(publication: Publication, missing: Sequence[str], command: str) -> None:
    manifest = publication.manifest
    claimed: Any = manifest.metrics.get("claimed")
    if claimed:
        note(f"Claimed by {claimed['by']}, not measured here: {', '.join(claimed['what'])}.")
    if missing:
        note(f"Version {manifest.version} has")
        for what in missing:
            note(f"  {what}")
    if missing or claimed:
        note(f"{'Mend it' if missing else 'Measure them'}: {command}")
