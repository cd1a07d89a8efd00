"""Compares two versions on the same loans, before one replaces the other: figures, swap set, reasons, and the page."""
