"""Lambda on one machine: functions, their execution environments, the Runtime API.

``service`` answers invocations; it asks ``pool`` for an environment; an environment (``environments``) is a
process (``processes``, ``snapshots``) that speaks the Runtime API (``runtime_api``) and runs ``bootstrap``.
"""
