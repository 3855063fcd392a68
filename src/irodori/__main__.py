"""`python -m irodori` is the command `irodori`."""

import sys

from irodori.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
