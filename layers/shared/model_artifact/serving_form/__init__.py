"""A fitted pipeline as flat arrays: scored in microseconds, from a process that never imports scikit-learn.

``compile`` makes the form from a pipeline and ``parity`` proves that it gives the same probabilities; both know
scikit-learn. Everything else serves. It needs the standard library, and NumPy for batches and large forests.
"""
