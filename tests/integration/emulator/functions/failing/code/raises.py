raise ValueError("at init")
