"""ScoreFilesFunction: scores each CSV file that arrives under ``batch/in/`` of its bucket, as ``peerloan score`` does.

Read ``main`` (the handler), ``app`` (what it is made of), ``arrivals`` (what an event says, and where the results go),
``file_scoring`` (one file, from its event to its summary), ``journal`` (how far a run came), ``bucket_files`` (ranged
reads and multipart writes) and ``summary`` (what is said of a file).

It ships NumPy and the shared layer, so it scores by versions that have arrays.
"""
