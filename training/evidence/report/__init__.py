"""The report and the model card: what is known of a version, laid out for people."""
