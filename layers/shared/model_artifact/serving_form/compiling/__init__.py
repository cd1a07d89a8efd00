"""Compiles a fitted pipeline into its serving form. Imports scikit-learn; runs where models are published."""
