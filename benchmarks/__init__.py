"""How long the theory takes, against a plain implementation: `python -m benchmarks.NAME`."""
