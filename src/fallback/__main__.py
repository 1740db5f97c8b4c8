"""``python -m fallback`` is the command line."""

from fallback.cli import main

main()
