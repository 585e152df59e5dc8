# Every target does its own set-up: a virtual environment in .venv, made once and again when pyproject.toml has changed.
# PYTHON=python3.12 chooses the interpreter, PYTEST_ARGS="-k reply" narrows a test run.

BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo check format test docker-test clean
.NOTPARALLEL:

help:
	@echo "make demo         the hello world pipe over HTTP, in one process, without Redis"
	@echo "make test         the tests, all but those that need Docker"
	@echo "make docker-test  the tests that build the images and run compose"
	@echo "make check        format, lint, import contracts, types"
	@echo "make format       put the code into its format"
	@echo "make clean        delete what the other targets made"

setup: $(READY)

$(READY): pyproject.toml .ci/venv
	@PYTHON="$(PYTHON)" sh .ci/venv

demo: $(READY)
	@$(BIN)/python -m examples.greetings.demo

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(READY)
	$(BIN)/pytest -m "not docker" $(PYTEST_ARGS)

docker-test: $(READY)
	$(BIN)/pytest -m docker $(PYTEST_ARGS)

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
