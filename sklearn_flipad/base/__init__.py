"""Internal: what all rooms stand on. Samples, labels, devices, precision, randomness, modules."""
