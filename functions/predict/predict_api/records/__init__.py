"""The records of a request: envelopes, pointers, and what a record must be."""
