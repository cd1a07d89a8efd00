"""Watching a model: the prediction log's format, its reader, and the tests that judge what the log says.

Read in this order: ``prediction_log`` (what a line says), ``log_reader`` (which lines there are), ``sequential_tests``
(whether a difference between two versions is more than luck).
"""
