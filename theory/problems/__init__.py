"""Random problem instances and stages."""
