"""The late-payer model's files: their columns, loading them without running foreign code, and scoring with them.

Training, which writes a pickle, uses this package; so do the inspection before publishing and the function that serves.
It knows neither HTTP nor the bucket.
"""
