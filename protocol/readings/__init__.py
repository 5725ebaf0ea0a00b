"""Records as arrays: what figures and claims read."""
