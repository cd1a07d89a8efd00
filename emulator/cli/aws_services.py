"""Makes the services beside Lambda on Lambda's port: CloudFormation, CloudWatch Logs and API Gateway of one project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from emulator.cli.flags import Options
from emulator.cli.settings.sam_settings import stack_names
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.lambda_service.log_groups.store import LogStore
from emulator.template.project import ACCOUNT_ID, STACK_NAME, Project

if TYPE_CHECKING:
    from emulator.stack_api.services import AwsServices

_LOG_GROUP = "AWS::Logs::LogGroup"


def make_services(
    project: Project, options: Options, store: LogStore | None, region: str, urls: Sequence[str]
) -> AwsServices:
    """Return the services of a project.

    Parameters
    ----------
    store : LogStore or None
        The functions' output; None if it isn't kept.
    urls : sequence of str
        The HTTP APIs' addresses, in the project's order; they are looked at when they are asked for.
    """
    # Imported here: the commands that have no port for Lambda start sooner without them.
    from emulator.stack_api.cloudformation import StackOperations
    from emulator.stack_api.http_apis import HttpApiOperations, LocalUrls
    from emulator.stack_api.logs import LogOperations
    from emulator.stack_api.services import CLOUDFORMATION, LOGS, AwsServices, Operation

    ids = [api.logical_id for api in project.apis]
    created, local_urls = utc_now(), LocalUrls(lambda: dict(zip(ids, urls, strict=False)))
    names = list(dict.fromkeys([STACK_NAME, *stack_names(options)]))
    stack = StackOperations(
        project.stack,
        names,
        lambda name: f"arn:aws:cloudformation:{region}:{ACCOUNT_ID}:stack/{name}/0",
        created,
        local_urls,
    )
    tables: dict[tuple[str, ...], Mapping[str, Operation]] = {CLOUDFORMATION: stack.table}
    if store is not None:
        groups = [resource.physical_id for resource in project.stack.resources if resource.type == _LOG_GROUP]
        logs = LogOperations(
            store,
            groups,
            lambda name: f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{name}",
            int(created.timestamp() * 1000),
        )
        tables[LOGS] = logs.table
    return AwsServices(tables, HttpApiOperations(project.apis, local_urls, created), ACCOUNT_ID)
