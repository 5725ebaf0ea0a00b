"""The language-model world: models trained in stages, unlearned, measured at every step.

`experiments` says what is run, `laboratory` runs it; `nodes` trains every stage once into a
`store`, `runs` keeps what unlearning runs measure; `trainer` serves learning and unlearning. Also
the import name of a known package: see the README.
"""
