"""Reads a template's HTTP APIs: their routes, stages and authorizers."""
