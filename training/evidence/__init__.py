"""The evidence on a model, with an interval for each figure: metrics, comparisons, stability, and the report.

Takes fitted pipelines and loan data; returns values, plots and pages. It knows neither the bucket nor aliases.
"""
