"""The type checker of the tests: beartype, an int counting as a float as everywhere in Python's
typing.
"""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
