"""API Gateway's HTTP API: turns a request into a function's event, and the function's answer into a response."""
