"""The functions' log groups: written to a terminal or a file as they come, and kept for CloudWatch Logs' API."""
