"""Places that keep objects under keys: the protocol, and S3."""
