"""S3's operations, one function each; ``dispatch`` finds the one that a request asks for and answers it."""
