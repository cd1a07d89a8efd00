"""Lambda's data plane: finds or starts an execution environment for each invocation."""
