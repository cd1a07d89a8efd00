"""Opens a pickle that a trusted publisher signed, or any in a limited process."""
