"""The 69 kinds of pipeline that data scientists hand over, and what becomes of each: ``make models``."""
