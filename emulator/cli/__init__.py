"""The emulator's command line: its flags, their values, and the commands."""
