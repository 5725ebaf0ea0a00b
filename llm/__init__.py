"""The language-model side: torch models that learn stages and unlearn one, measured at every step.

`llm.config` says what is run, and `llm.lab` runs it: `llm.lab.nodes` trains every stage once into a
store, and `llm.lab.runs` keeps the measured values of unlearning. One trainer, `llm.training`, does
both learning and unlearning. `llm` is also the import name of a known package: see
docs/architecture.md.
"""
