"""Numbers that users give, whatever the annotation says that they may give."""

import math
from typing import Any


def is_number(value: Any) -> bool:  # noqa: ANN401 - whatever a user gives
    """Tell whether it is a number that can be reckoned with."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def is_count(value: Any) -> bool:  # noqa: ANN401 - as above
    """Tell whether it is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
