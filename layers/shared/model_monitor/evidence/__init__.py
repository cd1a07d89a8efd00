"""Tests of a version that may be looked at each night: what each day says against "all is well", and what that adds to.

``daily`` adds the days up. ``calibration``, ``discrimination`` and ``inputs`` say what a day is worth.
"""
