"""Clients of other servers' protocols, on the running service.

KServe's and MLflow's own packages need Kubernetes' client, gRPC or a tracking server, so their requests are sent as
their documentation and source have them (kserve/inference_client.py, mlflow/pyfunc/scoring_server/client.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pandas as pd
import pytest
import requests
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.errors import BadRequestError, NotFoundError
from open_inference.openapi.types import InferenceRequest

from model_artifact.schema import FIELD_NAMES, FIELDS
from service_kit import Service
from training.data import Quarters


@pytest.fixture
def loans(quarters: Quarters) -> pd.DataFrame:
    """Return some loans without gaps, so that every protocol can say them."""
    return quarters.test.features.dropna().head(50)


@pytest.fixture
def expected(service: Service, loans: pd.DataFrame) -> list[float]:
    """Return the probabilities that ``/predict`` answers."""
    body = {"instances": loans.to_dict(orient="records")}
    answer = requests.post(f"{service.url}/predict", json=body, timeout=30).json()
    return [prediction["late_probability"] for prediction in answer["predictions"]]


def tensor(loans: pd.DataFrame, name: str) -> dict[str, Any]:
    [field] = [field for field in FIELDS if field.name == name]
    datatype = "BYTES" if field.type == "category" else "FP64"
    return {"name": name, "shape": [len(loans)], "datatype": datatype, "data": loans[name].tolist()}


@pytest.fixture
def client(service: Service) -> Iterator[OpenInferenceClient]:
    """Return the protocol's client, whose connections are closed at the end."""
    with httpx.Client(timeout=30) as connections:
        yield OpenInferenceClient(base_url=service.url, httpx_client=connections)


def test_client_of_the_open_inference_protocol(
    client: OpenInferenceClient, loans: pd.DataFrame, expected: list[float]
) -> None:
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness("late-payer")
    assert client.read_server_metadata().name == "peerloan"
    metadata = client.read_model_metadata("late-payer")
    assert [entry.name for entry in metadata.inputs] == list(FIELD_NAMES)
    inputs = [tensor(loans, name) for name in FIELD_NAMES]
    request = InferenceRequest.parse_obj({"id": "42", "inputs": inputs})
    answer = client.model_infer("late-payer", request=request)
    outputs = {output.name: output.data.__root__ for output in answer.outputs}
    assert (answer.id, answer.model_name) == ("42", "late-payer")
    assert outputs["late_probability"] == expected
    with pytest.raises(BadRequestError, match="The column 'dti' is missing"):
        client.model_infer("late-payer", request=InferenceRequest.parse_obj({"inputs": inputs[:3]}))
    with pytest.raises(NotFoundError, match="Its model is late-payer"):
        client.check_model_readiness("iris")


def test_requests_of_mlflows_client(service: Service, loans: pd.DataFrame, expected: list[float]) -> None:
    assert requests.get(f"{service.url}/ping", timeout=30).status_code == 200
    answer = requests.post(
        f"{service.url}/invocations",
        # ScoringServerClient.invoke writes a data frame so.
        json={"dataframe_split": loans.to_dict(orient="split")},
        timeout=30,
    )
    assert pd.DataFrame(answer.json()["predictions"])["late_probability"].tolist() == expected


def test_requests_of_kserves_client(service: Service, loans: pd.DataFrame, expected: list[float]) -> None:
    url = f"{service.url}/v1/models/late-payer"
    assert requests.get(url, timeout=30).json()["ready"] is True
    assert requests.get(f"{service.url}/v2/health/ready", timeout=30).json()["ready"] is True
    answer = requests.post(f"{url}:predict", json={"instances": loans.to_dict(orient="records")}, timeout=30)
    assert [prediction["late_probability"] for prediction in answer.json()["predictions"]] == expected
