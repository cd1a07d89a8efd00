"""Deploys a template's functions that the account doesn't have yet, before anybody can call them."""

from __future__ import annotations

from collections.abc import Iterable

from emulator.lambda_service.control_plane.operations import Operations
from emulator.lambda_service.errors import LambdaApiError
from emulator.template.errors import UnsupportedError
from emulator.template.left_out import LeftOutParts
from emulator.template.project import FunctionSpec, UnavailableFunction


def deploy_new(
    operations: Operations,
    specs: Iterable[FunctionSpec],
    unavailable: Iterable[UnavailableFunction],
    left_out: LeftOutParts,
) -> None:
    """Deploy the functions that the account doesn't have.

    One that can't be deployed is shown and can't be called, as those are that can't run at all: the unavailable ones.
    """
    for spec in specs:
        record = operations.catalogue.account.functions.get(spec.name)
        if record is not None and (record.deployed or record.aliases):
            continue
        try:
            _deploy_first(operations, spec)
        except UnsupportedError as error:
            part = left_out.leave_out(error, f"calls of {spec.logical_id} are refused")
            properties = {"Handler": spec.handler, "Runtime": spec.runtime}
            operations.template.declare(UnavailableFunction(spec.logical_id, spec.name, part, properties))
    for function in unavailable:
        operations.template.declare(function)


def _deploy_first(operations: Operations, spec: FunctionSpec) -> None:
    try:
        change = operations.template.update(spec)
        if spec.alias is not None and change is not None:
            published = operations.versions.publish_deployed(function_name=spec.name, is_saved=False)
            operations.template.point_alias(spec, published["Version"], change)
    except LambdaApiError as error:
        raise UnsupportedError(spec.logical_id, "Properties", error.message) from error
