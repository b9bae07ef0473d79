"""The benchmarks, one program: ``python -m benchmarks list`` names them."""
