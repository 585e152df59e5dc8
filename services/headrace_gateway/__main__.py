"""`python -m headrace_gateway`."""

import sys

from headrace_gateway.main import main

if __name__ == "__main__":
    sys.exit(main())
