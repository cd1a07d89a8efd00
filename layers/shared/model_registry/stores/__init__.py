"""Places that keep objects under keys: one protocol, an in-memory store for tests, and S3."""
