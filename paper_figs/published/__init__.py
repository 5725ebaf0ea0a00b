"""The published numbers, as records, and what they say about themselves."""
