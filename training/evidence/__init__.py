"""The evidence on a model, with an interval for each figure: metrics, comparisons, stability, and the report.

Takes fitted pipelines and loan data, gives values, plots and pages. Knows nothing of the bucket and of aliases.
"""
