"""Claims about the linear model."""
