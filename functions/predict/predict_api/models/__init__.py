"""The model versions that answer: which the alias names, loaded, verified and kept in memory."""
