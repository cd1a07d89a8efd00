"""The model registry: versions and aliases of a model in an S3-style bucket.

Read in this order: ``names`` (where things are), ``manifest`` and ``alias`` (what they say), ``routing`` (which
version a request gets), ``reader``, ``writer``. This package imports the standard library, and botocore in
``stores.s3`` alone; it never unpickles anything.
"""
