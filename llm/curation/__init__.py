"""Making stage data as the paper did: refusals to unsafe requests (`safety`), sums answered in steps (`math`).

Answers come from templates, offline, or from any OpenAI-compatible `endpoint`; either way each is checked.
"""
