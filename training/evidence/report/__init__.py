"""The report and the model card: the evidence on a version, laid out for people."""
