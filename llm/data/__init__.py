"""Rows from files: questions, answers and what was said before them.

`files` opens a file (`mistaken` knows those that are no data), `json_text` and `tables` make
records of it; `shapes` finds the shape of the records, `fields` and `turns` have the words for what
stands in them, `reading` makes examples, `purposes` takes those that can be used for what they are
for. `check` says what a file holds and what is wrong where; `gsm8k` and `xstest` know the marks of
those data sets.
"""

from llm.data.purposes import read_examples

__all__ = ["read_examples"]
