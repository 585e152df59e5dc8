"""Audits the images' locks: a bill of materials each, in dist/sbom, and what is known against the libraries in it.

    python deploy/audit.py deploy/locks/*.txt

Run by `make audit`, with pip-audit and cyclonedx-bom beside it. Exit codes: 0 nothing is known; 1 something is; 3 the
database of advisories could not be asked about everything, so that nothing can be said.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

KNOWN = 1
NOT_TOLD = 3
_BILLS = Path("dist", "sbom")


def main(locks: list[Path]) -> int:
    """Write the bills and audit; gives the exit code."""
    _BILLS.mkdir(parents=True, exist_ok=True)
    for lock in locks:
        _write_bill(lock)
    codes = [_audit(lock) for lock in locks]
    return KNOWN if KNOWN in codes else max(codes)


def verdict(found: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Judge what pip-audit found; gives the exit code, and what there is to say."""
    known = [f"{one['name']} {one['version']}: {bug['id']}" for one in found for bug in one.get("vulns", ())]
    untold = sum("skip_reason" in one for one in found)
    lines = [*known, *([f"{untold} of {len(found)} libraries are not audited"] if untold else [])]
    return (KNOWN if known else NOT_TOLD if untold or not found else 0), lines


def _audit(lock: Path) -> int:
    command = ("pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip", "--format", "json")
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    code, lines = verdict(json.loads(done.stdout)["dependencies"] if done.stdout else [])
    summary = {0: "nothing is known against it", KNOWN: "ADVISORIES", NOT_TOLD: "NOT AUDITED, the database is away"}
    sys.stdout.write("\n".join((f"{lock}: {summary[code]}", *(f"  {line}" for line in lines), "")))
    return code


def _write_bill(lock: Path) -> None:
    bill = _BILLS / f"{lock.stem}.cdx.json"
    command = ("cyclonedx_py", "requirements", str(lock), "--output-reproducible", "--output-file", str(bill))
    subprocess.run([sys.executable, "-m", *command], check=True)  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
