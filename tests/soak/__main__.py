"""`python -m tests.soak`: run a soak, print its figures; what must not be ends it with an error."""

import argparse
import asyncio
import sys

from tests.soak.one_machine import soak_up
from tests.soak.soak import Options, soak


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2, help="of each group")
    parser.add_argument("--lines", type=int, default=20_000, help="at most, for the fund-load pipe")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=("services", "up"), default="services", help="up: one machine, over TCP")
    given = parser.parse_args()
    options = Options(given.seconds, given.workers, given.lines, given.seed)
    table = asyncio.run(soak_up(options)).table() if given.mode == "up" else asyncio.run(soak(options)).table()
    sys.stdout.write(table)
    sys.stdout.write("every run has one terminal and the right answer, keyed sums are exact, nothing is left\n")


if __name__ == "__main__":
    main()
