"""Claims about controls: other bases, settings, mixtures and oracles."""
