"""What is run: options, presets, settings, unlearning methods, and every experiment by name.

`options` puts what a user chooses in the place of a preset's values, and `experiments` makes the
orders, methods and settings of each experiment from them. Nothing here trains a model.
"""
