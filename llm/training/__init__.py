"""One trainer for learning and unlearning, with recipes, checkpoints and log-probabilities.

`recipe` holds the learning rate, epochs, batches, schedule and optimizer of a training, and
`trainer` makes its updates. `checkpoint` continues an interrupted training to the same bits, and
`logprobs` computes log π of whole answers. `unlearning` unlearns by an objective or by a reference
method, which knows the retrained model or the history.
"""
