"""Lambda's queue of asynchronous invocations: its retries, where records go, and what survives a restart."""
