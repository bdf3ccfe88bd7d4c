# Two commands on a fresh machine: `make demo` and `make test`. Everything is set up inside the checkout.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.installed
AZURITE := localcloud/node/node_modules/.installed
WORKER := .venv-runtime/.installed
CLI := .venv-cli/.installed
CLIENTS := .venv-clients/.installed
# The tests of a file stay together, for they share a cloud. Most of them wait: three at a time keep two cores busy.
TOGETHER ?= --numprocesses 3 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup containers demo cloud test clients lint types unit format simulate chaos bench lock clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(ENVIRONMENT) $(AZURITE) ## install everything into the checkout (the other targets do it by themselves)

containers: ## install what real containers need (Debian, Ubuntu), for --containers podman and its tests
	@localcloud/containers/install-debian.sh

demo: setup ## run the demo workflow on a local cloud and show it
	@$(BIN)/python -m localcloud.demo

cloud: setup ## start the local cloud and leave it running until Ctrl-C
	@$(BIN)/python -m localcloud up

test: setup $(WORKER) lint types ## lint, types and all tests
	$(BIN)/python -m pytest $(TOGETHER)

# The tests of the product are not theirs: they see nothing of this checkout but the command line of the local cloud.
clients: setup $(CLI) $(CLIENTS) ## the Azure CLI, the SDKs and azure-identity against a local cloud: make clients ARGS="-k keyvault"
	.venv-clients/bin/python -m pytest --confcutdir tests/clients -p no:cacheprovider tests/clients $(ARGS)

unit: setup ## the tests without network
	$(BIN)/python -m pytest tests/unit

lint: $(ENVIRONMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(ENVIRONMENT)
	$(BIN)/mypy

format: $(ENVIRONMENT) ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

simulate: setup ## the simulation with many more seeds: make simulate SEEDS=20000
	LOADME_SEEDS=$(or $(SEEDS),20000) LOADME_PAIRS=5000 $(BIN)/python -m pytest tests/simulation

chaos: setup ## runs over the local cloud while its parts are killed: make chaos RUNS=200 SEED=0
	$(BIN)/python -m tests.chaos --runs $(or $(RUNS),200) --seed $(or $(SEED),0)

bench: setup ## measure; figures and what they mean are in docs/benchmarks.md
	$(BIN)/python -m bench

lock: $(ENVIRONMENT) ## compile requirements*.txt from requirements*.in
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links requirements-clients.in -o requirements-clients.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links requirements-cli.in -o requirements-cli.txt

clean: ## remove everything that was installed or written
	rm -rf $(VENV) .venv-runtime .venv-cli .venv-clients localcloud/node/node_modules .localcloud .containers .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(ENVIRONMENT): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "loadme needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": make PYTHON=python3.12 …")'
	@echo "setup: installing Python packages into $(VENV), once; it takes about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

$(AZURITE): localcloud/node/package-lock.json $(ENVIRONMENT)
	@$(BIN)/python -m localcloud.azurite install
	@touch $@

$(WORKER): requirements.txt localcloud/host/runtime_environment.py $(ENVIRONMENT)
	@$(BIN)/python -m localcloud.host.runtime_environment && touch $@ || test -z "$$CI"

$(CLI): requirements-cli.txt
	@echo "clients: installing the Azure CLI into .venv-cli, once; it is large: about two minutes, 750 MB"
	@$(PYTHON) -m venv .venv-cli
	@.venv-cli/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-cli.txt
	@touch $@

$(CLIENTS): requirements-clients.txt
	@$(PYTHON) -m venv .venv-clients
	@.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-clients.txt
	@touch $@
