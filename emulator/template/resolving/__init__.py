"""The values of a template: intrinsic functions, and what stands in for values that nobody knows here."""
