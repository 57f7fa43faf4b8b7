# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One test process a core; randomised order is part of the plan.
TESTS ?= -n auto

.PHONY: help demo test check bench faults mutants format lock schema reference wheel-test clean
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Expected Python 3.11 or newer as '$(PYTHON)', found $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 demo"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Expected Python's venv module, found none. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made run.lock.txt build.lock.txt pyproject.toml
	@echo "Setting up $(VENV), once; this takes about half a minute …"
	@$(PIP) install -q --no-deps --require-hashes --only-binary=:all: -r run.lock.txt -r build.lock.txt
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run dev.lock.txt
	@echo "Adding what tests and checks need, once …"
	@$(PIP) install -q --no-deps --require-hashes --only-binary=:all: -r dev.lock.txt
	@touch $@

demo: $(VENV)/.run ## play the story: one CMO, two sponsors, a cut link, a correction
	@$(BIN)/fedbatch demo

test: check ## all that CI runs: checks, then every test but the long ones
	$(BIN)/python -m pytest -q --no-header $(TESTS)
	@$(MAKE) --no-print-directory wheel-test

check: $(VENV)/.dev ## format, lint, layers, types, docs
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/lint-imports
	$(BIN)/mypy

wheel-test: $(VENV)/.dev ## build the wheel and run it without development packages
	$(BIN)/python tests/wheel_runs.py

faults: $(VENV)/.dev ## faults and scenarios in their long sizes (an hour or two)
	$(BIN)/python -m pytest -q -o faulthandler_timeout=0 -m long tests/faults tests/unit/verifier tests/scenarios

mutants: $(VENV)/.dev mutants.lock.txt ## change the code on purpose and count what the tests miss (about ten minutes)
	@$(PIP) install -q --no-deps --require-hashes --only-binary=:all: -r mutants.lock.txt
	$(BIN)/mutmut run
	@$(BIN)/python tests/mutation_score.py mutants/src

# What is compared with may be missing: then its column says so.
bench: $(VENV)/.run bench.lock.txt ## measure, each figure with its comparison in the same run
	@$(PIP) install -q --no-deps --require-hashes --only-binary=:all: -r bench.lock.txt || echo "DuckDB could not be installed: its figures are left out."
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get install -qq -y postgresql >/dev/null; } || \
	  echo "PostgreSQL is not there and could not be installed: its figures are left out."
	$(BIN)/fedbatch bench

format: $(VENV)/.dev ## put the code in order
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

schema: $(VENV)/.dev ## write schemas and record pages of docs/standard anew from the code
	$(BIN)/python tests/docs/write_standard.py docs/standard

reference: $(VENV)/.dev ## write docs/reference anew from the code
	PYTHONPATH=. $(BIN)/python -m tests.docs.write_reference

lock: ## pin the dependencies anew (needs uv)
	uv pip compile -q --generate-hashes --no-header --only-binary :all: --python-version 3.11 pyproject.toml -o run.lock.txt
	uv pip compile -q --generate-hashes --no-header --only-binary :all: --python-version 3.11 --group build -o build.lock.txt
	uv pip compile -q --generate-hashes --no-header --only-binary :all: --python-version 3.11 pyproject.toml --group dev -c run.lock.txt -o dev.lock.txt
	uv pip compile -q --generate-hashes --no-header --only-binary :all: --python-version 3.11 --group bench -c run.lock.txt -o bench.lock.txt
	uv pip compile -q --generate-hashes --no-header --only-binary :all: --python-version 3.11 --group mutants -c run.lock.txt -c dev.lock.txt -o mutants.lock.txt

clean: ## remove what the targets made
	rm -rf $(VENV) dist build mutants
