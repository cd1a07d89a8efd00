"""The Lambda function behind the REST API: an HTTP API event in, a prediction or a problem out.

It reads the registry and never writes it. ``app`` is the way in; read it first.
"""
