"""An S3-style bucket on disk: moto's S3 behind a write-through, kept over restarts and ``kill -9``.

From the outside in: ``server`` (sockets) → ``write_through`` (what is durable when) → ``moto_memory``
(moto's S3, in memory) and ``disk`` (the folder). ``records`` and the emulator's ``durable_files`` are what
``disk`` is made of; ``targets`` reads which bucket and key a request names, ``conditions`` whether a copy
may overwrite.
"""
