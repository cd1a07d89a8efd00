"""Opening a pickle without running what it says."""
