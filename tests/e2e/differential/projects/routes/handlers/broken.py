"""Can't be imported."""

raise RuntimeError("this module can't be imported")
