"""Attributors in files without pickle: saved, loaded and inspected."""
