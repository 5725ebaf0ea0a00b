"""The paper's published numbers as CSV files, and as records that claims and figures can read.

`numbers` reads the files, `records` makes records of them, `claims` judges them by the rules of
`protocol.claims`, and `audit` compares what is printed with the paper's own curves.
"""
