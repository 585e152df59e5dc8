"""`headrace-gateway`, and `python -m headrace_gateway`."""

import sys

from headrace.settings.start import start


def main() -> int:
    """Run the service; gives its exit code."""
    return start("headrace_gateway.main:main")


if __name__ == "__main__":
    sys.exit(main())
