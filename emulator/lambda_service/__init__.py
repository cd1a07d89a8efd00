"""Lambda on one machine: functions, their execution environments, the Runtime API.

``operations`` is the control plane: functions, versions, aliases and settings, kept by ``catalogue`` and ``state``,
their code in ``code_store``. ``service`` answers invocations: it resolves a version, which ``fleet`` keeps at work
(``running_version``) and ``deployment`` replaces; it asks ``pool`` for an environment; an environment (``environments``) is a
process (``processes``, ``snapshots``) that speaks the Runtime API (``runtime_api``) and runs ``bootstrap``.
"""
