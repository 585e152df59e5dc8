"""`python -m headrace_reply`."""

import sys

from headrace_reply.main import main

if __name__ == "__main__":
    sys.exit(main())
