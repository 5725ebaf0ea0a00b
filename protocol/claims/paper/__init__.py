"""Claims about the paper's own experiments."""
