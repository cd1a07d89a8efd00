"""Reads files of outcomes, and imports them: what became of loans, as it was known on one day."""
