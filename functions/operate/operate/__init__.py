"""OperateFunction: each minute it takes the next step of every rollout; each night it monitors the model in charge.

Each night it also calls old versions of the code. Read ``main`` (the handler), ``app`` (what it is made of), ``jobs``
(which job an event asks for), ``rollout_round``, ``nightly_look`` and ``code_ping`` (what one call does). Requests
never wait for it: if it doesn't run, every alias stays where it is.

The package holds CheckFunction, too: ``check`` (the handler), ``code_check`` (what it asks a new version of the code).
"""
