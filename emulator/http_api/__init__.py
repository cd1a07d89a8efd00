"""API Gateway's HTTP API: a request in, a function's event out, and the answer back."""
