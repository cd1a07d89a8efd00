"""What became of loans, joined with the log's predictions: statements, the rule of maturity, and counts by quarter."""
