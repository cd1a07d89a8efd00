"""From a SAM template to plain values: what functions and HTTP APIs it describes."""
