"""Shared by tests of the whole service: its URL, its registry's writer, and the models of its versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sklearn.pipeline import Pipeline

from model_registry.writer import RegistryWriter

PROJECT = Path(__file__).resolve().parents[2]
ALIAS_TTL_S = 1.0


@dataclass(frozen=True)
class Service:
    """A running service, with the models behind its versions."""

    url: str
    writer: RegistryWriter
    pipelines: dict[int, Pipeline]
