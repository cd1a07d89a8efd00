"""Monitoring a model: how its predictions came true, and what is to be done about it. It never sees a loan's values."""
