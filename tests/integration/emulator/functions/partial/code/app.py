"""Answers with the environment variables of the template."""

import os


def handler(event, _context):
    return {name: value for name, value in os.environ.items() if name.startswith("X_")}
