"""`python -m sebench`."""

from sebench.cli import main

main()
