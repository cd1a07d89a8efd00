"""Operations on what a function has beside code, configuration, versions and aliases, and constant answers.

Concurrency, retries and destinations of events, tags, policies, layers; and what no function here has.
"""
