"""A module holds one idea; past the limit it holds several."""

from tests.architecture.project import python_files

LIMIT_LINES = 400


def test_no_module_is_longer_than_the_limit() -> None:
    sizes = sorted(((len(text.splitlines()), path) for path, text in python_files()), reverse=True)
    too_long = [f"{path}: {lines} lines" for lines, path in sizes if lines > LIMIT_LINES]
    assert not too_long, f"over {LIMIT_LINES} lines: {too_long}"
    assert sizes, "no module was found"
    lines, path = sizes[0]
    print(f"the longest module is {path}, {lines} lines")  # noqa: T201 - shown by pytest -rP
