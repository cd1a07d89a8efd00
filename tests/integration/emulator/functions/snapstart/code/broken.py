raise ValueError("no snapshot of this")
