"""The commands on the function's code: ``deploy`` ships it as a version, ``code prune`` deletes old versions."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_rollout.code_versions import KEPT_NEWEST
from peerloan.errors import DeploymentError, UsageError
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import PROJECT, Workplace, check_url, is_local

if TYPE_CHECKING:
    from peerloan.deployment.shipping import Deployment
    from peerloan.deployment.target import Target

_SOURCE = PROJECT / "functions" / "predict"
_BUILT = Path(".aws-sam", "build", "PredictFunction")

StackOption = Annotated[
    str | None,
    typer.Option(help="The CloudFormation stack on AWS, which names function, alias and bucket."),
]
FunctionOption = Annotated[str | None, typer.Option(help="The function's name or ARN; PredictFunction by default.")]
EndpointOption = Annotated[
    str | None,
    typer.Option(
        help="Where Lambda is; the local stack by default. AWS: https://lambda.REGION.amazonaws.com.",
        envvar="AWS_ENDPOINT_URL_LAMBDA",
    ),
]

code = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@code.callback()
def code_commands() -> None:
    """Delete old versions of the function's code."""


def deploy(
    ctx: typer.Context,
    code: Annotated[
        Path | None, typer.Option(help=f"The function's folder as sam build made it, for instance {_BUILT}.")
    ] = None,
    stack: StackOption = None,
    function: FunctionOption = None,
    alias: Annotated[str | None, typer.Option(help="The alias that the API calls; live by default.")] = None,
    endpoint_url: EndpointOption = None,
    code_bucket: Annotated[
        str | None, typer.Option(help="The bucket to upload a package of more than 50 MB to; a stack's by default.")
    ] = None,
    ready_within: Annotated[int, typer.Option(min=1, help="Seconds that the new version may take to be ready.")] = 180,
    as_json: JsonFlag = False,
) -> None:
    """Ship the function's code without losing a request. The alias moves when the new version is ready.

    On the local stack the code comes from the source, and saved code is deployed by itself, too. Layers, settings and
    the API are those of `make deploy`.

    Examples: peerloan deploy

    peerloan deploy --stack peerloan-late-payers --code .aws-sam/build/PredictFunction
    """
    # botocore takes longer to import than most commands do.
    from peerloan.deployment import shipping
    from peerloan.deployment.target import find_target

    workplace: Workplace = ctx.obj
    if code is None and (stack or (endpoint_url and not is_local(check_url(endpoint_url, "--endpoint-url")))):
        raise UsageError(
            f"On AWS the function needs its libraries for Lambda's Python: run 'make sam-build', then name its "
            f"result with --code {_BUILT}."
        )
    began = time.perf_counter()
    target = find_target(
        workplace, stack=stack, function=function, alias=alias, endpoint_url=endpoint_url, code_bucket=code_bucket
    )
    size_bytes, source = _pack(target, code or _SOURCE)
    deployed = shipping.deploy(target.client, target.function, target.alias, source, ready_within_s=ready_within)
    total_s = time.perf_counter() - began
    if as_json:
        figures = {"package_bytes": size_bytes, "total_s": round(total_s, 3)}
        names = {"function": target.function, "alias": target.alias, "stack": target.stack}
        say_json({**names, **dataclasses.asdict(deployed), **figures})
        return
    _say_deployment(target, deployed)
    note(f"{total_s:.2f} s: " + ", ".join(f"{step} {spent:.2f}" for step, spent in deployed.seconds.items()))


@code.command("prune")
def code_prune(
    ctx: typer.Context,
    keep: Annotated[int, typer.Option(min=1, help="How many of the newest versions stay.")] = KEPT_NEWEST,
    stack: StackOption = None,
    function: FunctionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete the function's published versions, other than the newest and those that an alias points to.

    On AWS each kept version costs money, for its snapshot. A deleted one can't be rolled back to.

    Examples: peerloan code prune --keep 3 --dry-run

    peerloan code prune --keep 3 --stack peerloan-late-payers
    """
    from peerloan.deployment.pruning import delete_version, plan_pruning
    from peerloan.deployment.target import find_target

    target = find_target(ctx.obj, stack=stack, function=function, endpoint_url=endpoint_url)
    plan = plan_pruning(target.client, target.function, keep, target.versions_of_stack())
    deleted, kept = list(plan.doomed), dict(plan.kept)
    if not dry_run:
        deleted = [version for version in plan.doomed if delete_version(target.client, target.function, version)]
        kept |= {version: "used by now" for version in plan.doomed if version not in deleted}
    if as_json:
        say_json({"function": target.function, "dry_run": dry_run, "deleted": deleted, "kept": kept})
        return
    verb = "would delete" if dry_run else "deleted"
    say(f"{target.function}: {verb} {_versions(deleted)}")
    say("kept: " + ", ".join(f"{version} ({reason})" for version, reason in kept.items()))


def _pack(target: Target, folder: Path) -> tuple[int, dict[str, Any]]:
    """Pack a folder; return the package's size and, as Lambda's API takes it, the package or its address.

    What can be wrong is found before packing, which takes half a minute for a function with its libraries.
    """
    from peerloan.deployment import package, shipping

    files = package.code_files(folder)
    shipping.check_function(target.client, target.function, target.alias)
    unpacked_bytes = package.unpacked_bytes(files)
    if unpacked_bytes > package.MAX_DIRECT_BYTES:
        if target.bucket is None:
            raise DeploymentError(
                f"{folder} has {unpacked_bytes / 2**20:.0f} MB, and Lambda takes a package of 50 in a request. Name "
                "the CloudFormation stack with --stack, or a bucket to send it through with --code-bucket."
            )
        shipping.check_bucket(target.bucket_client(), target.bucket, target.client.meta.region_name)
        note(f"Packing {unpacked_bytes / 2**20:.0f} MB.")
    packed = package.make_package(folder, files)
    if len(packed) <= package.MAX_DIRECT_BYTES or target.bucket is None:
        return len(packed), {"ZipFile": packed}
    note(f"Sending {len(packed) / 2**20:.0f} MB through the bucket {target.bucket}.")
    return len(packed), shipping.upload_package(target.bucket_client(), target.bucket, packed)


def _say_deployment(target: Target, deployed: Deployment) -> None:
    if deployed.version == deployed.previous_version:
        say(f"{target.function}: this code is version {deployed.version}, to which {target.alias!r} points already")
        return
    say(f"{target.function}: {target.alias!r} -> version {deployed.version}, before that {deployed.previous_version}")
    if not is_local(target.client.meta.endpoint_url):
        note(
            f"CloudFormation doesn't know of version {deployed.version}: for it {target.alias!r} is where the last "
            "'make deploy' put it. A 'make deploy' from the same source brings both together again."
        )


def _versions(versions: list[str]) -> str:
    if not versions:
        return "no version"
    return f"version{'s' if len(versions) > 1 else ''} {', '.join(versions)}"
