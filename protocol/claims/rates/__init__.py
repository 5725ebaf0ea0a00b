"""Claims about rates of divergence."""
