"""What the demonstrations share, and the year of ``peerloan demo-loop``."""
