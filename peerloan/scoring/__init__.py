"""Scoring whole files on this machine: ``batch_scoring`` scores, this package reads and writes.

Read in this order: ``targets`` and ``journal`` (what is written, and how far a run came), ``score_csv`` and
``score_parquet`` (the whole run), ``api_scorer`` (where the API scores).
"""
