"""An S3-style bucket on disk, kept over restarts and ``kill -9``: S3's protocol straight on durable files.

From the outside in: ``server`` (sockets) → ``operations`` (one function each; ``dispatch`` finds it and turns failures
into S3's errors) → ``store`` (what is durable when) and ``bucket_index`` (what is where) → ``disk`` (the folder) and
``object_files`` (one file), over the emulator's ``durable_files``. What operations share: ``targets`` (what a request
names), ``request_body`` (framing, and checksums on arrival), ``checksums``, ``conditions``, ``object_facts`` (headers
and what is kept of them), ``listing`` and ``answers`` (XML). ``object_feed`` hands changes to other processes.
"""
