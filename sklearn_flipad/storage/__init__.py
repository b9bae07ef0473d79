"""Internal: arrays and descriptions in files without pickle."""
