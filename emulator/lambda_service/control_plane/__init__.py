"""Lambda's control plane: functions, versions, aliases and their settings, kept on disk. Runs nothing."""
