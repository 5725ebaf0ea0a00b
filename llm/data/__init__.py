"""Rows from files: questions, answers, and the turns before them.

`files` opens a file; `json_text` and `tables` make records of it. `shapes` finds the shape of the
records, `fields` and `turns` know the names of their parts, `reading` makes examples, and
`purposes` keeps the rows that serve a purpose. `check` reports the content and the faults of a
file.

`chat` makes tokens of examples with a chat template (`templates`, `verbatim`); `grading` reads the
number of an answer.
"""
