"""Measurements of the library, and the training of its generators."""
