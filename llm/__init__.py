"""The language-model world: tiny models trained in stages on generated corpora, unlearned, measured at every step.

`positions` runs the experiment; `stages` trains every node once into a `store`; `trainer` serves learning and
unlearning; `scoring`, `answers` and `probes` measure. Also the import name of a known package: see the README.
"""
