# Provisioner: what developers and CI run. `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done
TEST_STAMP := $(VENV)/.test-setup-done
# Each file of tests stays on one worker, in the order of tests/conftest.py: the cheap ones first.
JOBS ?= 2
PARALLEL = --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
# Shell scripts by their first line; templates are not shell until they are rendered.
SHELL_FILES = $(shell grep -rlIE '^\#! *(/usr)?/bin/(env )?(ba|da)?sh' .ci packaging images overlays | grep -v '\.j2$$')

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Install what is missing on this machine and make .venv with prov in it
$(STAMP): packaging/requirements.lock packaging/debian-packages.txt pyproject.toml
	@packaging/install-debian-packages.sh
	@packaging/make-venv.sh $(VENV) $(PYTHON)
	@touch $@

.PHONY: setup-tests
setup-tests: $(TEST_STAMP) ## The same, and the programs that tests compare with
$(TEST_STAMP): $(STAMP) packaging/test-packages.txt packaging/debian-unpacked.txt
	@packaging/install-debian-packages.sh test-packages.txt
	@packaging/unpack-debian-packages.sh .cache/debian
	@touch $@

.PHONY: demo
demo: setup-tests ## Boot virtual nodes in a scratch site, and take two from CentOS to Rocky and back (root)
	@packaging/demo.sh

.PHONY: test
test: setup-tests lint ## Everything: static checks, then all tests, virtual machines included (root)
	@$(BIN)/pytest $(PARALLEL) -m "not long" tests

.PHONY: test-long
test-long: setup-tests ## The tests that take long: boot storms and the like (root)
	@$(BIN)/pytest -m long --ignore tests/bench tests

.PHONY: check
check: setup-tests lint unit ## Static checks and unit tests, in less than a minute

.PHONY: lint
lint: setup-tests ## Format, style, types, layers and shell scripts, changing nothing
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@shellcheck $(SHELL_FILES)

.PHONY: unit
unit: setup ## Unit tests, without the slow ones
	@$(BIN)/pytest --quiet -m "not slow and not long" tests/unit

.PHONY: integration
integration: setup-tests ## Integration tests: real sockets, clients and tools (root)
	@$(BIN)/pytest -m "not long" tests/integration

.PHONY: e2e
e2e: setup-tests ## End-to-end tests: virtual machines (root)
	@$(BIN)/pytest -m "not long" tests/e2e

.PHONY: matrix
matrix: setup-tests ## Boot every firmware with every kind of root, and print what each takes (root)
	@$(BIN)/python -m tests.support.rootmatrix

.PHONY: test-vagrant
test-vagrant: setup-tests ## `vagrant up` with two diskless nodes, offline (root; a part of make test)
	@$(BIN)/pytest tests/e2e/test_vagrant.py

.PHONY: bench
bench: setup-tests ## Measure the numbers that the project holds (root)
	@packaging/install-debian-packages.sh bench-packages.txt
	@$(BIN)/pytest -s tests/bench

.PHONY: packages
packages: setup-tests ## Build the DEB and the RPM below dist/
	@rm -rf build/tree dist
	@packaging/stage-tree.sh build/tree
	@packaging/build-deb.sh build/tree dist
	@packaging/build-rpm.sh build/tree dist
	@ls -l dist

.PHONY: format
format: setup ## Format the code and fix what ruff can fix
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: lock
lock: ## Resolve the newest packages into packaging/requirements.lock
	@$(BIN)/python -m pip install --quiet pip-tools
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe \
		--extra dev --build-deps-for editable --strip-extras --no-emit-options \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file packaging/requirements.lock pyproject.toml

.PHONY: clean
clean: ## Remove .venv and everything that can be made again
	@rm -rf $(VENV) .cache build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
