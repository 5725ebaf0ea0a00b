"""python -m retrace."""

from retrace import main

main()
