"""The report and everything that `retrace figures` writes."""
