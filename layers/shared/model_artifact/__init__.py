"""What a late-payer pickle is: its columns, how it is loaded without running foreign code, and how it is scored.

Used wherever a pickle is touched: by the training that writes it, by the inspection before it is published, and by the
function that serves it. Knows nothing of HTTP and nothing of the bucket.
"""
