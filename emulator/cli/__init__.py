"""The emulator's command line: flags, what they mean, and the commands that serve."""
