"""`python -m headrace_worker`."""

import sys

from headrace_worker.main import main

if __name__ == "__main__":
    sys.exit(main())
