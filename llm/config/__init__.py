"""What is run: settings, presets, options, methods, and every experiment by name."""
