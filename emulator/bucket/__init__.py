"""An S3-style bucket on disk, kept over restarts and ``kill -9``: S3's protocol straight on durable files.

From the outside in: ``server`` (sockets) → ``dispatch`` (finds the operation, and turns failures into S3's errors) →
``buckets``, ``objects``, ``multipart`` and ``lists`` (one function for each operation) → ``store`` (what is where, and
durable when) → ``disk`` (the folder) and ``object_files`` (one file), over the emulator's ``durable_files``. What
operations share: ``requests`` (what a request names), ``request_body`` (framing, and checksums on arrival),
``checksums``, ``conditions``, ``object_facts`` (headers and what is kept of them) and ``answers`` (errors and XML).
``object_feed`` hands changes to other processes.
"""
