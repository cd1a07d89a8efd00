"""Serves the emulator's own pages under ``/_emulator/``: its status, the injected faults, and its tokens' issuer."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from emulator.browser_guard import BrowserGuard
from emulator.cli.first_page import show_first_page
from emulator.cli.function_logs import FunctionLogs
from emulator.http_server import ADMIN_PATH, OIDC_PATH, RESET_PATH
from emulator.lambda_service.control_plane.account import AliasRecord
from emulator.lambda_service.data_plane.faults import FaultError, read_faults
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.data_plane.pool import PoolStatus
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.log_groups.store import LogStore
from emulator.lambda_service.sandbox.memory import proportional_bytes
from emulator.lambda_service.sandbox.process_tree import descendants
from emulator.metrics import RequestMeter
from emulator.strict_json import read_json
from emulator.template.errors import ProjectError
from emulator.template.http_api_spec import HttpApi, HttpStage
from emulator.template.left_out import LeftOut
from emulator.template.project import Project

_MAX_BODY_BYTES = 1 << 20
_MB = 1 << 20
_MOST_LINES = 1000


class AdminPages:
    """Answers requests for the emulator's own pages: about the service and its faults, and the HTTP API's requests.

    With a state folder, which has the keys, it is also an issuer of tokens.
    """

    def __init__(
        self,
        service: LambdaService,
        meter: RequestMeter,
        guard: BrowserGuard | None = None,
        logs: FunctionLogs | None = None,
        state_dir: Path | None = None,
        project: Project | None = None,
        reset: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._project = project or Project(functions={}, apis=(), buckets=())
        self._delivery = None if logs is None else logs.delivery
        self._log_store = None if logs is None else logs.sink.store
        self._guard = guard or BrowserGuard()
        self._service = service
        self._meter = meter
        self._pages: dict[str, dict[str, Callable[[web.BaseRequest], Awaitable[web.Response]]]] = {
            ADMIN_PATH: {"GET": show_first_page},
            ADMIN_PATH + "status": {"GET": self._show_status},
            ADMIN_PATH + "faults": {"GET": self._show_faults, "PUT": self._set_faults, "DELETE": self._clear_faults},
        }
        if self._log_store is not None:
            self._pages[ADMIN_PATH + "logs"] = {"GET": functools.partial(_show_log, self._log_store)}
        if reset is not None:
            self._pages[RESET_PATH] = {"POST": functools.partial(_reset, reset)}
        if state_dir is not None:
            self._pages[OIDC_PATH + "/.well-known/openid-configuration"] = {"GET": _show_issuer}
            self._pages[OIDC_PATH + "/jwks.json"] = {"GET": functools.partial(_show_keys, state_dir)}

    def add(self, name: str, pages: Mapping[str, Callable[[web.BaseRequest], Awaitable[web.Response]]]) -> None:
        """Serve a further page, by method."""
        self._pages[ADMIN_PATH + name] = dict(pages)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the page for a request whose path begins with `ADMIN_PATH`."""
        refusal = self._guard.find_refusal(request.headers)
        if refusal is not None:
            return _json({"message": refusal}, 403)
        pages = self._pages.get(request.path)
        if pages is None:
            return _json({"message": f"The emulator's own pages are {' and '.join(self._pages)}."}, 404)
        page = pages.get("GET" if request.method == "HEAD" else request.method)
        if page is None:
            allowed = ", ".join(pages).replace("GET", "GET, HEAD")
            return _json({"message": f"{request.path} takes only {allowed}."}, 405, {"Allow": allowed})
        return await page(request)

    async def _show_status(self, _request: web.BaseRequest) -> web.Response:
        return _json(await self.status())

    async def _show_faults(self, _request: web.BaseRequest) -> web.Response:
        return _json(self._service.faults.describe())

    async def _clear_faults(self, _request: web.BaseRequest) -> web.Response:
        self._service.faults.clear()
        return web.Response(status=204)

    async def status(self) -> dict[str, Any]:
        """Return the emulator's state at this moment, as plain values for JSON."""
        pools = [pool.status() for pool in self._service.pools()]
        # In a thread: counting the memory of many processes takes a while, and requests must not wait for it.
        memory = await asyncio.to_thread(lambda: {pid: _environment_bytes(pid) for pool in pools for pid in pool.pids})
        names = sorted({pool.function for pool in pools})
        groups = None if self._log_store is None else await asyncio.to_thread(self._log_store.groups)
        return {
            "functions": [self._function_status(name, pools, memory) for name in names],
            "concurrency": {
                "accountLimit": self._service.ledger.account_limit,
                "unreserved": self._service.operations.catalogue.unreserved_concurrency(),
            },
            "apis": [_stage_status(api, stage) for api in self._project.apis for stage in api.stages],
            "requests": self._meter.summary(),
            "leftOut": [_left_out(part) for part in self._project.left_out],
            "logGroups": groups,
            "logDelivery": [] if self._delivery is None else self._delivery.status(),
            **self._service.faults.describe(),
        }

    def _function_status(self, name: str, pools: Iterable[PoolStatus], memory: Mapping[int, int]) -> dict[str, Any]:
        # None for a deleted function, whose last requests are still in progress.
        record = self._service.operations.catalogue.account.functions.get(name)
        return {
            "function": name,
            "inFlight": self._service.ledger.in_flight(name),
            "reserved": self._service.ledger.reserved(name),
            "throttles": self._service.ledger.throttles(name),
            "versions": [] if record is None else [version.version for version in record.all_versions()],
            "aliases": [] if record is None else [_alias_weights(alias) for alias in record.aliases.values()],
            "environments": [_pool_status(pool, memory) for pool in pools if pool.function == name],
        }

    async def _set_faults(self, request: web.BaseRequest) -> web.Response:
        # All are read before the first is set, so that a document with one wrong fault changes nothing.
        if (request.content_length or 0) > _MAX_BODY_BYTES:
            return _json({"message": f"the body must be smaller than {_MAX_BODY_BYTES} bytes"}, 413)
        try:
            faults = read_faults(read_json(await request.read()))
        except FaultError as error:
            return _json({"message": str(error)}, 400)
        except ValueError as error:
            return _json({"message": f"the body must be JSON: {error}"}, 400)
        self._service.faults.replace_all(faults)
        return _json(self._service.faults.describe())


async def _show_log(store: LogStore, request: web.BaseRequest) -> web.Response:
    """Show the last lines of a group, by default a hundred."""
    group, count = request.query.get("group", ""), request.query.get("count", "100")
    if not group or not count.isdecimal() or not 0 < int(count) <= _MOST_LINES:
        return _json({"message": f"Name a log group, as in logs?group=NAME&count=100, at most {_MOST_LINES}."}, 400)
    events = await asyncio.to_thread(store.tail, group, int(count))
    return _json({"group": group, "lines": [event.message.rstrip("\r\n") for event in events]})


async def _reset(reset: Callable[[], Awaitable[None]], _request: web.BaseRequest) -> web.Response:
    try:
        await reset()
    except LambdaApiError as error:
        return _json({"message": error.message}, 500)
    except ProjectError as error:
        return _json({"message": str(error)}, 500)
    return web.Response(status=204)


async def _show_issuer(request: web.BaseRequest) -> web.Response:
    # Imported here, as below: it needs cryptography, which takes a while, and most APIs have no tokens.
    from emulator.http_api.oidc_issuer import discovery_document, own_issuer

    return _json(discovery_document(own_issuer(f"http://{request.host}")))


async def _show_keys(state_dir: Path, _request: web.BaseRequest) -> web.Response:
    from emulator.http_api.oidc_issuer import KEY_FILE, KeyFileError, key_set

    try:
        # In a thread, since making a key takes a tenth of a second.
        return _json(await asyncio.to_thread(key_set, state_dir / KEY_FILE))
    except (KeyFileError, OSError) as error:
        return _json({"message": str(error)}, 500)


def _left_out(part: LeftOut) -> dict[str, str]:
    return {
        "resource": part.logical_id,
        "property": part.property,
        "reason": part.reason,
        "consequence": part.consequence,
    }


def _stage_status(api: HttpApi, stage: HttpStage) -> dict[str, Any]:
    authorization = {route.key: route.authorization_type for route in stage.routes}
    return {"api": api.logical_id, "stage": stage.name, "authorization": authorization}


def _pool_status(status: PoolStatus, memory: Mapping[int, int]) -> dict[str, Any]:
    failure = status.provisioning_failure
    return {
        "version": status.version,
        "byState": status.by_state,
        "waiting": status.waiting,
        "coldStarts": status.cold_starts,
        "warmStarts": status.warm_starts,
        "provisioned": {
            "wanted": status.provisioned_wanted,
            "ready": status.provisioned_ready,
            "failure": None if failure is None else failure.decode(errors="replace"),
        },
        "memory": [{"pid": pid, "mb": round(memory[pid] / _MB, 1)} for pid in sorted(status.pids)],
    }


def _alias_weights(alias: AliasRecord) -> dict[str, Any]:
    main_weight = 1.0 - sum(alias.weights.values())
    return {"name": alias.name, "weights": {alias.version: round(main_weight, 6), **alias.weights}}


def _environment_bytes(pid: int) -> int:
    """Return an environment's memory; of shared pages each environment counts its share."""
    return sum(map(proportional_bytes, [pid, *descendants(pid)]))


def _json(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(document, status=status, headers=dict(headers or {}))
