"""Late probabilities from a serving form, without scikit-learn."""
