"""Stage data as the paper made it: refusals of unsafe requests, and sums answered in steps.

Answers come from templates, offline, or from any OpenAI-compatible `endpoint`, which `asking` asks
until each answer passes its check; `journal` keeps what was received.
"""
