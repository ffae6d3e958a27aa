# Everything works from a checkout with only python3 (3.11 or newer, with venv) and make.
# uv is taken from PATH, or fetched into the project's own .venv; nothing outside the checkout is touched but tool caches.

VENV := .venv
UV := $(shell command -v uv 2>/dev/null || echo $(VENV)/bin/uv)
BIN := $(VENV)/bin
export WEBWX_HOME := $(CURDIR)/build/home
unexport WEBWX_SERVER WEBWX_HOST

.DEFAULT_GOAL := help
.PHONY: help setup demo test check verify cover docs sandbox format clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

setup: $(VENV)/.ready  ## Make .venv with the project in it

$(VENV)/bin/uv:
	python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

$(VENV)/.ready: pyproject.toml uv.lock $(if $(filter $(VENV)/bin/uv,$(UV)),$(VENV)/bin/uv)
	$(UV) sync --frozen --inexact --quiet
	@touch $@

demo: setup  ## The main job, from nothing: log in, send, mark as read, recall, forward a recalled picture
	@$(BIN)/webwx demo

test: setup  ## The quick tests
	$(BIN)/pytest -q -n 2 -m "not verify"

check: setup  ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --warnings
	$(BIN)/lint-imports

verify: setup cover  ## What CI adds: interop and everything too slow for `make test`
	$(BIN)/pytest -q -m verify

cover: setup  ## Full branch coverage of protocol/ and flows/
	$(BIN)/pytest -q -n 2 -m "not verify" --cov=webwx --cov-branch --cov-report=
	$(BIN)/coverage report --include='*/webwx/protocol/*,*/webwx/flows/*' --fail-under=100 --show-missing --skip-covered

docs: setup  ## Regenerate docs/wire.md
	$(BIN)/python docs/make_wire.py

sandbox: setup  ## A server of the protocol on loopback
	$(BIN)/webwx sandbox

format: setup  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove what was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
