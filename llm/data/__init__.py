"""Rows from files: questions, answers and the conversation before them.

`files` opens a file (`mistaken` knows files that are no data), and `json_text` and `tables` make
records of it. `shapes` finds the shape of the records, and `fields` and `turns` have the names of
their fields and roles. `reading` makes examples, and `purposes` selects the examples that fit their
purpose. `check` says what a file holds and where its faults are; `gsm8k` and `xstest` know the
marks of those data sets. `chat` turns examples into tokens, and `grading` reads the number of an
answer.
"""
