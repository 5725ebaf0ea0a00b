"""Random problems of the linear model: single instances, and stages that share features.

`instances` draws families of data for the theorem, and `staged` the four stages of the other
experiments of the linear model, with the training of their paths.
"""
