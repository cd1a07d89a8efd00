"""Lambda on one machine. Layers, from the top; each imports those below it alone:

- ``control_api``: Lambda's HTTP API, which boto3 and the AWS CLI speak to;
- ``data_plane``: finds the version that a request goes to, and has one of its environments answer;
- ``control_plane``: functions, versions, aliases and settings, kept on disk; runs nothing;
- ``sandbox``: an environment's process, which speaks the Runtime API and runs the function.

What all of them share is here: ``errors``, ``function_version`` and ``invocation``.
"""
