"""Every test here starts without settings in the environment, and leaves logging as it was."""

from tests.headrace_worker.isolation import logging_as_before, no_settings_around

__all__ = ["logging_as_before", "no_settings_around"]
