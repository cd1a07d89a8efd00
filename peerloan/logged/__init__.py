"""Reads the prediction log for the command line: the requests of a period, and the decisions of one loan."""
