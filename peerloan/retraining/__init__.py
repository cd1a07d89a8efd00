"""Makes the next version of a model that serves: trained anew on newer loans, or recalibrated on outcomes."""
