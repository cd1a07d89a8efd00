"""Counting lines of the prediction log: ``line_tally`` counts them, ``day_fold`` reads whole days from the bucket."""
