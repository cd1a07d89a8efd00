"""What is known of a model's worth, with an interval for each figure: metrics, comparisons, stability, the report.

Takes fitted pipelines and loan data, gives values, plots and pages. Knows nothing of the bucket and of aliases.
"""
