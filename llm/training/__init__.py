"""One trainer for learning and unlearning: its recipe, checkpoints and log-probabilities of
answers.
"""
