"""An S3-style bucket on disk: moto's S3 behind a write-through, kept over restarts and ``kill -9``.

From the outside in: ``server`` (sockets) → ``write_through`` (makes changes durable before their answers) →
``moto_memory`` (moto's S3, in memory) and ``disk`` (the folder). ``disk`` uses ``object_files`` and the emulator's
``durable_files``; ``targets`` reads which bucket and key a request names, ``conditions`` whether a copy may overwrite.
"""
