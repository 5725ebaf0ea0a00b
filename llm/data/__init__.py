"""Rows from files: questions, answers and the conversation before them.

`files` opens a file, and `json_text` and `tables` make records of it. `shapes` finds the shape of
the records, and `fields` and `turns` have the names of their fields and roles. `reading` makes
examples, and `purposes` selects the examples that fit their purpose. `check` reports what a file
holds and where its faults are. `chat` turns examples into tokens, and `grading` reads the number of
an answer.
"""
