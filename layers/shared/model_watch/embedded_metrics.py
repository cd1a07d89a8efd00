"""Documents of CloudWatch's embedded metric format: a log entry that CloudWatch also makes metrics of. Pure.

Source: "Specification: Embedded metric format" in the CloudWatch user guide. Powertools can make such documents too, in
a tenth of the time that a whole prediction takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class EmbeddedMetrics:
    """Makes the documents of one service.

    Parameters
    ----------
    namespace : str
        CloudWatch's namespace.
    dimensions : mapping of str to str
        The values of the dimensions that all metrics have: alarms and dashboards must name exactly these.
    units : mapping of str to str
        CloudWatch's unit of each metric, by its name.
    """

    def __init__(self, namespace: str, dimensions: Mapping[str, str], units: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._dimensions = dict(dimensions)
        self._definitions = {name: {"Name": name, "Unit": unit} for name, unit in units.items()}

    def document(
        self, measured: Mapping[str, float], version: int | None, entry: Mapping[str, object], wall_s: float
    ) -> dict[str, Any]:
        """Return a log entry as a document.

        Parameters
        ----------
        measured : mapping of str to float
            At least one value, by its metric's name.
        version : int or None
            The model version that the values are of. With one, they are written with the dimension
            ``model_version`` too.
        entry : mapping
            The members of the log entry.
        wall_s : float
            The time of the values, in seconds since 1970.
        """
        names = [list(self._dimensions)]
        if version is not None:
            names.append([*self._dimensions, "model_version"])
        metrics = {
            "Namespace": self._namespace,
            "Dimensions": names,
            "Metrics": [self._definitions[name] for name in measured],
        }
        document: dict[str, Any] = {"_aws": {"Timestamp": int(wall_s * 1000), "CloudWatchMetrics": [metrics]}}
        document.update(self._dimensions)
        if version is not None:
            document["model_version"] = str(version)
        document.update(entry)
        document.update((name, [float(value)]) for name, value in measured.items())
        return document
