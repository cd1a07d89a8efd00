"""Scoring whole files.

Read in this order: ``records`` (what a row must be), ``csv_rows`` (reading), ``results`` and ``journal`` (what is
written, and how far a run came), ``versions`` (the model), ``score_csv`` and ``score_parquet`` (all together).
"""
