"""Fits the models: the basic model, and the contenders for the improved model."""
