"""Where the values of flags come from: their texts and files, and what SAM CLI's own settings add."""
