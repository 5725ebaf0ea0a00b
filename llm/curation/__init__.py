"""Making stage data as the paper did: refusals of unsafe requests (`safety`), sums (`math`).

Answers come from templates, offline, or from any OpenAI-compatible `endpoint`. `asking` repeats a
request until its answer passes a check, and `journal` keeps every answer that was received.
"""
