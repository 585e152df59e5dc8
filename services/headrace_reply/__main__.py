"""`headrace-reply`, and `python -m headrace_reply`."""

import sys

from headrace.settings.start import start


def main() -> int:
    """Run the service; gives its exit code."""
    return start("headrace_reply.main:main")


if __name__ == "__main__":
    sys.exit(main())
