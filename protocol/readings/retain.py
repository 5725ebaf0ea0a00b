"""Experiment "retain": the two sides of the weight λ*, as they are named in its records."""

BELOW, ABOVE = "0.9 λ*", "1.1 λ*"
