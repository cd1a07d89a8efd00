"""Scoring whole files.

Read in this order: ``row_rules`` (what a row must be), ``source_file``, ``csv_header`` and ``csv_rows`` (reading),
``scorers`` (a version or the API), ``results`` and ``journal`` (what is written, and how far a run came), ``score_csv``
and ``score_parquet`` (the whole run).
"""
