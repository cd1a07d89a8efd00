"""Scores batches of loans: the one core of ``peerloan score``, of its Spark job and of files that arrive in a bucket.

Pure: bytes, rows and tables in, scored rows and rejects out; whoever calls reads and writes the files. Read in this
order: ``row_rules`` (what a row must be), ``csv_header``, ``csv_lines`` and ``csv_rows`` (CSV), ``arrow_batches``
(Parquet and other tables), ``scores`` (a version's results), ``results`` (what is written), ``csv_run`` (the loop over
a CSV file).

It needs NumPy, and pyarrow for tables: no scikit-learn, and no pickle where a version has arrays.
"""
