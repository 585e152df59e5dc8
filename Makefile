# Every target does its own set-up: a virtual environment in .venv, made once and again when pyproject.toml has changed.
# The versions are those of requirements.lock. PYTHON=python3.12 chooses the interpreter, PYTEST_ARGS="-k reply" narrows a
# test run.

BIN := .venv/bin
READY := .venv/.ready

# Tests start hundreds of processes of ours, which start a third sooner where modules stay compiled.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo check format test docker-test ray-test docs soak bench bench-kernel lock locks audit clean
.NOTPARALLEL:

help:
	@echo "make demo         the hello world pipe over HTTP, in one process, without Redis"
	@echo "make test         the tests, all but those that need Docker"
	@echo "make docker-test  the tests that build the images and run compose"
	@echo "make ray-test     the tests on a real Ray, which this installs (80 MB)"
	@echo "make soak         load on Redis for SECONDS=60 while processes are killed, and the proof that nothing was lost"
	@echo "make bench        benchmarks beside other libraries; BENCH_ARGS=\"--quick --case 3\" narrows a run, --help tells more"
	@echo "make bench-kernel the in-process engine beside justpipe and bare asyncio"
	@echo "make check        format, lint, import contracts, types"
	@echo "make docs         the site of docs/; look at it by python -m http.server -d build/site"
	@echo "make format       put the code into its format"
	@echo "make lock         renew requirements.lock: the newest versions that pyproject.toml allows"
	@echo "make locks        the images' hashed locks anew, from requirements.lock, which stays as it is"
	@echo "make audit        each image's bill of materials in dist/sbom, and what is known against its libraries"
	@echo "make clean        delete what the other targets made"

setup: $(READY)

$(READY): pyproject.toml requirements.lock .ci/venv
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
	$(BIN)/pytest -m "not docker and not ray" --numprocesses 3 --dist loadfile $(PYTEST_ARGS)

docker-test: $(READY)
	$(BIN)/pytest -m docker $(PYTEST_ARGS)

ray-test: $(READY)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[cli,ray]'
	$(BIN)/pytest tests/headrace/executors/test_ray.py $(PYTEST_ARGS)

# An environment of its own, as with the audit. The build asks no network.
DOCS := build/docs

docs: $(DOCS)/.ready
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict

$(DOCS)/.ready: $(READY) pyproject.toml
	$(BIN)/python -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(DOCS)/bin/python -m pip install --quiet --group docs
	touch $@

soak: $(READY)
	$(BIN)/python -m tests.soak --seconds $(or $(SECONDS),60) $(SOAK_ARGS)

# Two environments of its own: of the other libraries two want an older Redis client.
BENCH := benchmarks/.venv

bench: $(BENCH)/.ready
	@for program in redis-server wrk; do command -v $$program >/dev/null || { echo "make bench needs $$program"; exit 1; }; done
	$(BENCH)/newer/bin/python -m benchmarks $(BENCH_ARGS)

bench-kernel: $(BENCH)/.ready
	$(BENCH)/newer/bin/python -m benchmarks.kernel $(BENCH_ARGS)

$(BENCH)/.ready: $(READY) pyproject.toml
	$(BIN)/python -m venv --clear $(BENCH)/newer
	$(BIN)/python -m venv --clear $(BENCH)/older
	@for venv in newer older; do $(BENCH)/$$venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1' || exit 1; done
	$(BENCH)/newer/bin/python -m pip install --quiet --constraint requirements.lock --editable '.[cli]' --group bench
	$(BENCH)/older/bin/python -m pip install --quiet --group bench-older
	touch $@

# Constraints for pip, in .ci/venv and in the images' locks: what is tested is what is shipped.
lock: $(READY)
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[cli,ray]' --group dev
	$(BIN)/python -m pip freeze --exclude-editable > requirements.lock
	$(MAKE) locks

# What an image installs: the same versions, with the hashes of their files, for every platform.
locks: $(READY)
	@for service in gateway reply worker; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --extra $$service --constraint requirements.lock --output-file deploy/locks/$$service.txt pyproject.toml || exit 1; \
	done

# An environment of its own: nothing of it runs with the project. Ends with 3 where the advisories cannot be had.
AUDIT := build/audit

audit: $(AUDIT)/.ready
	@$(AUDIT)/bin/python deploy/audit.py deploy/locks/*.txt

$(AUDIT)/.ready: $(READY) pyproject.toml
	$(BIN)/python -m venv --clear $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(AUDIT)/bin/python -m pip install --quiet --group audit
	touch $@

clean:
	rm -rf .venv benchmarks/.venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
