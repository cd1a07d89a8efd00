"""A template's own files and parameters, before anything of it is resolved."""
