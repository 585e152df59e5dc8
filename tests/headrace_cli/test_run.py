"""`headrace run` in one process: its output, its errors, its exit codes."""

import json
from pathlib import Path

import pytest

from headrace_cli.main import main

APP = "tests.headrace_worker.app:pipe"
NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


def numbers(count: int) -> str:
    return "".join(f'{{"value":{value}}}\n' for value in range(1, count + 1))


def answers(count: int) -> str:
    return "".join(f'{{"text":"{2 * value}"}}\n' for value in range(1, count + 1))


def test_one_message_is_answered_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", APP, '{"value": 21}']) == 0
    assert capfd.readouterr() == ('{"text":"42"}\n', "")


def test_an_empty_result_is_null(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", APP, '{"value": 0}']) == 0
    assert capfd.readouterr().out == "null\n"


def test_a_failed_run_is_one_line_and_exit_code_1(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", APP, '{"value": -1}']) == 1
    written = capfd.readouterr()
    assert written.out == ""
    assert written.err.startswith("error[run_failed]: run '")
    assert written.err.endswith("': step in node 'double', source user_code (ValueError)\n")


def test_an_invalid_message_is_a_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", APP, '{"value": "x"}']) == 2
    assert capfd.readouterr().err == (
        "error[invalid_message]: invalid message for type 'Number': Expected `int`, got `str` - at `$.value`\n"
    )


def test_a_file_is_answered_line_by_line_in_order(lines: Path, tmp_path: Path) -> None:
    lines.write_text(numbers(5000))
    output = tmp_path / "out.jsonl"
    assert main(["run", APP, "--input", str(lines), "--output", str(output), "--window", "300"]) == 0
    assert output.read_text() == answers(5000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize("arguments", [[], ["--output", "-"]])
def test_without_an_output_the_answers_go_to_stdout(
    arguments: list[str], lines: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines.write_text(numbers(3).rstrip("\n"))
    assert main(["run", APP, "--input", str(lines), *arguments]) == 0
    assert capfd.readouterr().out == answers(3)


@pytest.mark.parametrize("window", ["1", "4096"])
def test_a_line_without_a_result_says_why_in_its_place(
    window: str, lines: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines.write_text('{"value":1}\n{"value":-1}\nno json\n\n{"value":0}\n{"value":2}\n')
    assert main(["run", APP, "--input", str(lines), "--window", window]) == 1
    written = capfd.readouterr()
    first, failed, malformed, blank, empty, last = written.out.splitlines()
    assert (first, empty, last) == ('{"text":"2"}', "null", '{"text":"4"}')
    failure = json.loads(failed)["error"]
    assert len(failure.pop("trace_id")) == 32
    assert failure == {
        "code": "run_failed",
        "kind": "step",
        "source": "user_code",
        "node": "double",
        "group": "one",
        "error": "ValueError",
    }
    for line in (malformed, blank):
        assert json.loads(line)["error"]["code"] == "invalid_message"
    assert written.err == "headrace: 3 of 6 lines have no result\n"


def test_an_output_that_is_there_is_replaced_and_keeps_its_mode(lines: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("old")
    output.chmod(0o640)
    lines.write_text(numbers(1))
    assert main(["run", APP, "--input", str(lines), "--output", str(output)]) == 0
    assert (output.read_text(), output.stat().st_mode & 0o777) == (answers(1), 0o640)


def test_an_output_is_left_as_it_was_where_nothing_ran(lines: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("old")
    lines.write_text(numbers(1))
    assert main(["run", APP, "--input", str(lines), "--output", str(output), "--bus", NOWHERE]) == 1
    assert (output.read_text(), len(list(tmp_path.iterdir()))) == ("old", 2)


def test_a_bus_that_is_away_is_said_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", APP, '{"value": 1}', "--bus", NOWHERE]) == 1
    assert capfd.readouterr().err.startswith("error[bus_unavailable]: the bus at redis://127.0.0.1:1 cannot be reached")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", APP], "give one message, or --input"),
        (["run", APP, "{}", "--input", "-"], "give one message, or --input"),
        (["run", APP, "--input", "/nowhere/in.jsonl"], "'/nowhere/in.jsonl' is no file"),
        (["run", "nowhere:pipe", "{}"], "error[app_not_loaded]: cannot load 'nowhere:pipe': there is no module"),
        (["run", APP, '{"value": 1}', "--attach"], "error[settings_invalid]: setting 'bus_url' is memory://"),
        (["run", APP, '{"value": 1}', "--bus", "http://x"], "error[settings_invalid]: setting 'bus_url'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(
    arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    written = capfd.readouterr()
    assert written.out == ""
    assert words in " ".join(written.err.replace("│", " ").split())
