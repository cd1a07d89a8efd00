"""Checks a recorded run, every request and every alias change, against the service's promises. Pure."""
