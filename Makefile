# Setpoint's commands. `make help` lists them.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
# Airflow wants an older web server than ours: its environment is its own.
AIRFLOW := .venv-airflow
# What is given stays as it is, a word or a path with blanks; candles beside the repository are found.
export SETPOINT_MARKET_DATA := $(or $(SETPOINT_MARKET_DATA),$(abspath $(wildcard ../shared/market)))
# Tests start hundreds of processes: what each imports is compiled once, wherever that is switched off.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo console test test-real test-long check screenshots bench release clean lock image

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

# -qq: errors alone. With -q pip repeats each warning about the machine's indexes for every package.
setup: $(VENV)/.installed  ## create the virtual environment .venv with pinned dependencies

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@echo "a virtual environment with pinned dependencies, for a minute or two"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# With a database of Airflow's that is migrated already, which tests copy.
$(AIRFLOW)/.installed: requirements/airflow.txt pyproject.toml
	$(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/pip install -qq --disable-pip-version-check --require-hashes -r requirements/airflow.txt
	$(AIRFLOW)/bin/pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	rm -rf $(AIRFLOW)/home && AIRFLOW_HOME=$(CURDIR)/$(AIRFLOW)/home $(AIRFLOW)/bin/airflow db migrate >$(AIRFLOW)/migrate.log 2>&1
	@touch $@

demo: setup  ## seed, sweep and judge on real data where there is some; state stays in .setpoint
	@SETPOINT_HOME=$${SETPOINT_HOME:-$(CURDIR)/.setpoint} $(BIN)/setpoint demo

console: setup  ## open the Console on what the demo left, with two accounts to play a review
	@SETPOINT_HOME=$${SETPOINT_HOME:-$(CURDIR)/.setpoint} $(BIN)/setpoint demo --console

# First what one core serves, with a worker for each of two cores, then what keeps both busy by itself.
# What needs a program that is not ours is a part of its own, which may take longer.
test: setup  ## every test that needs no program but ours, PostgreSQL and Python
	$(BIN)/pytest -m "not whole_machine and not real" -n auto --maxprocesses 2 --dist worksteal
	$(BIN)/pytest -m "whole_machine and not real"

test-real: setup $(AIRFLOW)/.installed  ## the tests with programs that are not ours: npm's clients, proxies, browsers
	$(BIN)/pytest -m real

test-long: setup  ## the long matrices: random stories, faults under load for half an hour, damaged texts, the API
	LONG_TESTS=1 $(BIN)/pytest --timeout 3600 tests/change/test_state_machine.py
	LONG_TESTS=1 $(BIN)/pytest --timeout 3600 -s tests/story/test_chaos.py
	LONG_TESTS=1 $(BIN)/pytest --timeout 3600 tests/test_damaged_texts.py tests/gate/test_gate_planted.py
	LONG_TESTS=1 $(BIN)/pytest --timeout 3600 tests/test_release.py
	SETPOINT_API_EXAMPLES=112 SETPOINT_API_CASES=10000 $(BIN)/pytest tests/serve/test_openapi_properties.py

check: setup  ## lint, format, types, dependencies, reference docs, our own gate and readiness file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/check_readiness.py
	$(BIN)/python -m setpoint.gate src

screenshots: setup  ## take the pictures of the Console that README and docs show, from the demo's home
	$(BIN)/python docs/screenshots.py

bench: setup  ## measure every claim of speed, and write README's table of them
	$(BIN)/python bench/table.py

release: setup  ## wheel, sdist, bill of materials and hashes of the last commit, in dist/
	$(BIN)/python release/make.py

lock:  ## pin every dependency with its hashes (needs uv)
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra build --extra server --extra train --extra charts --extra dask --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra build --extra train --extra airflow --extra dask pyproject.toml -o requirements/airflow.txt
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --constraint requirements/dev.txt --extra server --extra train --extra charts --extra dask pyproject.toml -o requirements/image.txt
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --constraint requirements/dev.txt --extra build pyproject.toml -o requirements/build.txt

# BASE names an image by its digest. BUILDAH: options of buildah itself, such as --storage-driver vfs.
image: COMMIT = $(shell git rev-parse HEAD)
image:  ## build the container image setpoint:COMMIT on BASE=... (needs buildah)
	buildah $(BUILDAH) bud --isolation chroot --file deploy/container/Containerfile --build-arg BASE=$(BASE) \
	  --build-arg REVISION=$(COMMIT) --tag setpoint:$(COMMIT) .

clean:  ## remove the virtual environments and caches; never data
	rm -rf $(VENV) $(AIRFLOW) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .test-outcomes.json
