"""Generators and samples from packages or trained here, which several benchmarks use."""
