"""A function's process: started, forked, spoken to by the Runtime API, measured and ended."""
