"""The model versions that answer: found by the alias, loaded, verified and kept in memory."""
