"""`python -m headrace_cli`."""

import sys

from headrace_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
