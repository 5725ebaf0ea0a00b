"""How long the theory takes, each measured beside a plain implementation: `python -m
benchmarks.NAME`.
"""
