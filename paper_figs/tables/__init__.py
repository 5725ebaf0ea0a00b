"""The tables of the paper, beside ours."""
