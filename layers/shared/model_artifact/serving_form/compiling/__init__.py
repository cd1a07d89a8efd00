"""From a fitted pipeline to its serving form. Imports scikit-learn; runs where models are published."""
