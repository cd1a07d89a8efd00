"""Where loans come from: files, archives, and generated samples."""
