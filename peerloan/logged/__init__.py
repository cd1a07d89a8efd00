"""Reads the prediction log for the command line: day by day, and the decisions of one loan."""
