"""CheckFunction: asks a new version of the API's function whether it answers, before it gets any traffic.

CodeDeploy calls it before it shifts the alias, and takes the deployment back if the check fails. The new version must
be ready, and give the probe records of the model in charge the probabilities that these had when it was published.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from model_registry.alias import Alias
from model_registry.reader import RegistryReader
from model_registry.routing import resolve_version
from operate.api_calls import api_event

# The alias may move between the moment that it is read here and the answer.
_ATTEMPTS = 3
_WAIT_S = 5.0


class CodeCheckError(Exception):
    """The new version must get no traffic; the message says why."""


class CodeCheck:
    """Checks one version of the API's function.

    Parameters
    ----------
    reader : RegistryReader
        The models.
    alias : str
        The model alias that the API serves.
    ask_new, ask_serving : callable
        Send an API Gateway event to the new version, and to the one that serves now; return the answer.
    report : callable
        Tells CodeDeploy the deployment's id, the hook execution's id, and ``Succeeded`` or ``Failed``.
    write : callable
        Takes a line of the function's log.
    sleep : callable
        Waits for some seconds.
    """

    def __init__(
        self,
        reader: RegistryReader,
        alias: str,
        *,
        ask_new: Callable[[dict[str, Any]], Mapping[str, Any]],
        ask_serving: Callable[[dict[str, Any]], Mapping[str, Any]],
        report: Callable[[str, str, str], None],
        write: Callable[[str], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._reader = reader
        self._alias = alias
        self._ask_new = ask_new
        self._ask_serving = ask_serving
        self._report = report
        self._write = write
        self._sleep = sleep

    def __call__(self, event: Mapping[str, str], context: object) -> dict[str, str]:  # noqa: ARG002
        """Check the new version, and tell CodeDeploy whether the deployment may go on."""
        status, reason = "Failed", ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(_WAIT_S)
            try:
                status, reason = "Succeeded", self._check()
                break
            except Exception as error:  # noqa: BLE001 - whatever fails, CodeDeploy must hear of it
                reason = f"{type(error).__name__}: {error}"
        level = "INFO" if status == "Succeeded" else "ERROR"
        self._write(json.dumps({"level": level, "kind": "code_check", "message": reason, "status": status}))
        self._report(event["DeploymentId"], event["LifecycleEventHookExecutionId"], status)
        return {"status": status, "reason": reason}

    def _check(self) -> str:
        """Return what was found; raise if the new version must get no traffic."""
        ready = self._ask_new(api_event("GET", "/readyz"))
        if ready["statusCode"] != 200:
            if self._ask_serving(api_event("GET", "/readyz"))["statusCode"] != 200:
                return "Neither the new version nor the one that serves is ready, so no model could be compared."
            raise CodeCheckError(f"The new version isn't ready: /readyz answers {ready['statusCode']} {ready['body']}")
        alias = self._reader.get_alias(self._alias).alias
        probes = self._reader.get_manifest(alias.version).probes
        body = json.dumps({"instances": [probe.record for probe in probes]})
        # A loan's id would choose the version before this header does.
        answer = self._ask_new(api_event("POST", "/predict", body, {"idempotency-key": _key_of_main(alias)}))
        if answer["statusCode"] != 200:
            raise CodeCheckError(f"/predict answers the probe records with {answer['statusCode']} {answer['body']}")
        document = json.loads(answer["body"])
        if document["model"]["version"] != alias.version:
            raise CodeCheckError(
                f"Version {document['model']['version']} of the model answers, and {alias.version} is in charge."
            )
        for number, (probe, prediction) in enumerate(zip(probes, document["predictions"], strict=True)):
            probability = prediction["late_probability"]
            if not probe.accepts(probability):
                raise CodeCheckError(
                    f"Probe record {number} gets the probability {probability}, not {probe.late_probability}."
                )
        return f"The new version gives the {len(probes)} probe records of model version {alias.version} what they had."


def _key_of_main(alias: Alias) -> str:
    """Return a routing key that the main version of the model answers."""
    return next(
        key for key in map("code-check-{}".format, range(100_000)) if resolve_version(alias, key) == alias.version
    )
