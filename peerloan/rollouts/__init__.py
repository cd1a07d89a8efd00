"""Rollouts on the command line: planned from options, shown, and watched to their end."""
