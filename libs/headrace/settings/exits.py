"""How processes of ours end: their exit codes, and an error as users see it."""

import sys

from headrace.errors import AppError, CompileError, HeadraceError, InvalidMessageError, SettingsError

EXIT_FAILED = 1
EXIT_MISTAKE = 2  # what was asked for cannot be: the same again would end the same
_MISTAKES = (SettingsError, AppError, CompileError, InvalidMessageError)


def report(error: HeadraceError) -> int:
    """Write an error to stderr as users see it; gives the exit code."""
    sys.stderr.write(f"error[{error.code}]: {error}\n")
    sys.stderr.flush()
    return EXIT_MISTAKE if isinstance(error, _MISTAKES) else EXIT_FAILED
