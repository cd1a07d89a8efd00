"""Writes an audit: one folder that says which model decided in a period, why, and what became of its loans."""
