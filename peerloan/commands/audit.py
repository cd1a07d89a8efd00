"""The command ``audit``: one folder that says who decided in a period, why, and what became of the loans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from model_registry.errors import RegistryError, StoreUnavailableError
from model_registry.names import DEFAULT_ALIAS, MANIFEST, version_key
from peerloan.errors import UsageError
from peerloan.monitoring.options import read_date
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace


def audit(
    ctx: typer.Context,
    first: Annotated[str, typer.Option("--from", help="The period's first day (UTC), such as 2026-01-01.")],
    last: Annotated[str, typer.Option("--to", help="Its last day.")],
    name: Annotated[str, typer.Argument(help="The alias.")] = DEFAULT_ALIAS,
    out: Annotated[Path | None, typer.Option(help="The folder to write; audit-ALIAS-FROM-TO by default.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="The loans of the model cards, as for `report`.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write everything about a period into one folder, and an index with the SHA-256 of each file.

    It holds the model cards and manifests of the versions that served, who moved the alias and why, the rollouts with
    their evidence, the monitor's reports, the retrainings, and the figures of each quarter's loans. The same bucket and
    loans give the same bytes. A folder that holds something else isn't touched.

    Example: peerloan audit live --from 2026-01-01 --to 2026-12-31 --out audit-2026
    """
    # Imported here: they bring NumPy and scikit-learn, which take longer than most commands.
    from peerloan.auditing.files import audit_files
    from peerloan.auditing.folder import INDEX, check_folder, write_folder
    from peerloan.auditing.records import Period, read_records

    workplace: Workplace = ctx.obj
    try:
        period = Period(read_date(first, "--from"), read_date(last, "--to"))
    except ValueError as error:
        raise UsageError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    rollouts = workplace.rollouts().history(name)
    retrainings = workplace.retrainings().get_all()
    records = read_records(workplace.model_store(), workplace.model, name, period, rollouts, retrainings)
    folder = out or Path(f"audit-{name}-{period.first}-{period.last}")
    check_folder(folder, records)
    of_versions, lacking = _version_files(workplace, records.versions, data)
    files = audit_files(records, of_versions, lacking)
    index = write_folder(folder, records, files, lacking)
    for path, reason in sorted(lacking.items()):
        note(f"{path} is missing: {reason}")
    if as_json:
        say_json({"folder": str(folder), "files": len(files), "missing": lacking, "index_sha256": index.sha256})
        return
    say(f"Written: {folder}, {len(files)} files. SHA-256 of {INDEX}: {index.sha256}")


def _version_files(
    workplace: Workplace, versions: tuple[int, ...], data: list[Path] | None
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return manifests and model cards by path, and why one can't be had: a deleted version has neither."""
    from peerloan.auditing.files import card_path, manifest_path
    from peerloan.version_evidence import gather_evidence
    from training.data import load
    from training.evidence.report.render import render_card

    store = workplace.model_store()
    quarters = load(data or None, workplace.environ)
    note(f"Data of the model cards: {quarters.source}")

    def manifest_of(version: int) -> bytes:
        return store.get(version_key(workplace.model, version, MANIFEST)).body

    def card_of(version: int) -> bytes:
        return render_card(gather_evidence(workplace, version, quarters)).encode()

    makers: dict[str, Callable[[], bytes]] = {}
    for version in versions:
        makers[manifest_path(version)] = partial(manifest_of, version)
        makers[card_path(version)] = partial(card_of, version)
    return _make(makers)


def _make(makers: Mapping[str, Callable[[], bytes]]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return what the makers give, by path, and the messages of those that refuse."""
    from model_artifact.errors import ArtifactError

    files: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    for path, make in makers.items():
        try:
            files[path] = make()
        except StoreUnavailableError:
            raise
        except (RegistryError, ArtifactError) as error:
            refused[path] = str(error)
    return files, refused
