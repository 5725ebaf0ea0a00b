"""Experiments carried out: stage nodes, unlearning runs and their records."""
