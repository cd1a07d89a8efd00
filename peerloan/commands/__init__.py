"""The commands of ``peerloan``, one module each."""
