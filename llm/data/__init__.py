"""Rows from files: `files` reads JSON, JSON lines, CSV and Parquet, `shapes` turns records into questions and answers.

`check` says what a file holds and what is wrong where; `gsm8k` knows that data set's marks and final answers.
"""

from llm.data.shapes import read_examples

__all__ = ["read_examples"]
