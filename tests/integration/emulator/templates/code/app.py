"""Answers with what a test asks about: the function's own variables, and the layer's text where there is one."""

import importlib.util
import os


def handler(event, context):
    """Answer any event."""
    text = importlib.import_module("layer_module").TEXT if importlib.util.find_spec("layer_module") else None
    variables = {name: value for name, value in os.environ.items() if name.startswith("X_")}
    return {"function": context.function_name, "layer": text, "variables": variables, "event": event}
