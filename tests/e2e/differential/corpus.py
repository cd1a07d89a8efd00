"""The whole corpus of the HTTP API, in the order in which it is sent: what ends a container comes last."""

from __future__ import annotations

from tests.e2e.differential import answers_corpus, requests_corpus
from tests.e2e.differential.case import Case, all_named_once

HTTP_API: tuple[Case, ...] = all_named_once(
    requests_corpus.METHODS,
    requests_corpus.PATHS,
    requests_corpus.QUERIES,
    requests_corpus.HEADERS,
    requests_corpus.BODIES,
    requests_corpus.NO_ROUTE,
    answers_corpus.SHAPES,
    answers_corpus.STATUSES,
    answers_corpus.HEADERS,
    answers_corpus.BODIES,
    answers_corpus.SPECIAL,
    answers_corpus.FAILURES,
)
