"""One file a figure, and the registry; figures do not import each other."""
