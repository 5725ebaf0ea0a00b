"""What is measured on one model: probes, distances between models, sampled answers."""
