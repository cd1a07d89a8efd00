"""Scoring loans and tallying the prediction log on Spark: the same rows and tallies as on one machine.

Read in this order: ``shipment`` (what spark-submit gets, made where the job is submitted), ``pinned_version`` (the
version in it), ``job`` and ``tally_job`` (the driver), ``csv_blocks``, ``tables`` and ``log_parts`` (what workers do).

Only the driver's modules import PySpark. What ships needs Python 3.11, NumPy and pyarrow; no scikit-learn, no pickle.
"""
