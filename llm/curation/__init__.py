"""Making stage data as the paper did: refusals to unsafe requests (`safety`), sums answered in
steps (`math`).

Answers come from templates, offline, or from any OpenAI-compatible `endpoint`, which `asking` asks
until each answer passes its check; `journal` keeps what was received.
"""
