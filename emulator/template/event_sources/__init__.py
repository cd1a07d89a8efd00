"""What starts functions without a request, and where their logs go: schedules and log delivery of a template."""
