"""Watching a model: the prediction log's format, its reader, and the tests that judge what the log says.

Read in this order: ``prediction_log`` (the line of a request), ``loan_hash`` and ``profile`` (what stands in a line for
the borrower's values), ``log_reader`` (which lines there are), ``sequential_tests`` (whether a difference between two
versions is more than luck), ``tally`` (what is counted of a day), ``folding`` and ``tally_store`` (how a day is counted
and kept), ``outcome_figures`` and ``intervals`` (how good counted predictions were). The function imports the first
three and nothing else of this package; training imports the last two.
"""
