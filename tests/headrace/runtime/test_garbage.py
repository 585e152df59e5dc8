"""What a start has made is looked through no more."""

import gc
from collections.abc import Iterator

import pytest

from headrace.runtime.garbage import spare_the_start


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_the_start_has_made_is_looked_through_no_more() -> None:
    made: list[object] = []
    assert any(each is made for each in gc.get_objects())
    spare_the_start()
    assert not any(each is made for each in gc.get_objects())
