"""Internal: what all rooms build on: samples, labels, devices, precision, randomness, modules."""
