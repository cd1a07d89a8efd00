"""Training of the late-payer models: from the loan data to a pickle and its training record.

Knows the model artifact and the registry's data types; knows nothing of the bucket, the function or HTTP.
"""
