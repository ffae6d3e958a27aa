# Everything works from a checkout with only python3 (3.11 or newer, with venv) and make.
# uv is taken from PATH, or fetched into the project's own .venv; nothing outside the checkout is touched but tool caches.

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo $(BIN)/uv)
PYTEST := $(BIN)/pytest -q
# Of what CI adds, the files with tests that measure times, so that no other test may run beside them.
ALONE := $(addprefix tests/,bot/test_load.py soak/test_goals.py)
# Tests with generated input, of which `make test` tries few.
GENERATED := $(addprefix tests/,bot/test_chat_queues.py flows/test_sync.py \
	gateway/notify/test_digest.py gateway/notify/test_registry.py gateway/notify/test_render.py \
	gateway/notify/test_template.py model/test_events.py model/test_text.py \
	protocol/test_round_trip.py storage/test_cursors.py storage/test_tokenizer.py storage/sqlite/test_bodies.py \
	storage/sqlite/test_index.py storage_contract/test_consumers.py)

# Journals sync each commit to the disk, which takes half of the time of the tests that have one: temporary files are in
# memory where there is room for 4 GB and programs may run.
define IN_MEMORY
folder=/dev/shm; probe=; \
test "$$(df -Pk $$folder 2>/dev/null | awk 'NR == 2 { print $$4 }')" -gt 4000000 2>/dev/null \
&& probe=$$(mktemp $$folder/webwx-XXXXXX) && printf '\043!/bin/sh\n' > $$probe && chmod +x $$probe && $$probe \
&& export TMPDIR=$$folder; rm -f $$probe
endef

export WEBWX_HOME := $(CURDIR)/build/home
unexport WEBWX_SERVER WEBWX_HOST WEBWX_ACCOUNT WEBWX_PROXY WEBWX_CONFIG WEBWX_PASSPHRASE \
	WEBWX_PASSPHRASE_FROM WEBWX_STORAGE
# A Python of uv's own would be installed outside the checkout, so one must be there.
export UV_PYTHON_DOWNLOADS := never
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Tests start hundreds of processes, each of which would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup extras tools demo demo-crash test check verify cover fuzz mutate soak bench bench-plots bench-sandbox docs site packages release-check release records blocking messages sandbox format clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/'

setup: $(VENV)/.ready  ## Make .venv with the project in it
extras: setup  ## Add to it all extras: PostgreSQL, metrics, cron expressions, encrypted logins
	@$(SYNC) --no-dev --all-extras
tools: $(VENV)/.tools  ## Add to it what tests and checks need

$(BIN)/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "webwx needs Python 3.11 or newer")'
	@echo "Fetching uv into $(VENV)."
	@python3 -m venv $(VENV)
	@$(CERTIFICATES); $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14' \
	|| { echo 'uv could not be fetched. Behind a proxy, set HTTPS_PROXY, and SSL_CERT_FILE to its certificate: see docs/howto/install.md' >&2; exit 1; }

# Behind a proxy with its own certificate, pip and uv must both trust it, and each reads other variables. The first that
# is set counts for both; otherwise the system's certificates, where administrators add those of proxies.
define CERTIFICATES
ca="$${SSL_CERT_FILE:-$${PIP_CERT:-$${REQUESTS_CA_BUNDLE:-$${CURL_CA_BUNDLE:-$$(python3 -m pip config get global.cert \
2>/dev/null)}}}}"; \
if test -z "$$ca" && test "$$(uname)" = Darwin; then export UV_SYSTEM_CERTS=true UV_NATIVE_TLS=true; \
else for each in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem; do \
test -n "$$ca" || ! test -f "$$each" || ca="$$each"; done; fi; \
test -z "$$ca" || export SSL_CERT_FILE="$$ca" PIP_CERT="$${PIP_CERT:-$$ca}"; \
test -z "$$PIP_PROXY" || export HTTPS_PROXY="$${HTTPS_PROXY:-$${https_proxy:-$$PIP_PROXY}}"
endef

# uv gives up without a cache, so a HOME that cannot be written is replaced for it.
define SYNC
$(CERTIFICATES); \
cache="$${UV_CACHE_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/uv}"; \
mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" || cache="$(CURDIR)/build/uv-cache"; \
UV_CACHE_DIR="$$cache" $(UV) sync --frozen --inexact --quiet
endef

$(VENV)/.package: pyproject.toml uv.lock $(filter $(BIN)/uv,$(UV))
	@echo "Setting up $(VENV); this takes a moment the first time."
	@$(SYNC) --no-dev
	@touch $@

$(VENV)/.ready: $(VENV)/.package
	@echo "Adding the gateway, and the certificates of the sandbox."
	@$(SYNC) --no-dev --extra tls --extra gateway
	@touch $@

$(VENV)/.tools: $(VENV)/.ready
	@echo "Adding what tests and checks need."
	@$(SYNC) --all-extras
	@touch $@

demo: $(VENV)/.package  ## The main job, from nothing: log in, send, mark as read, recall, forward a recalled picture
	@$(BIN)/webwx demo

demo-crash: tools  ## A bot that is killed while its friends write: nothing lost, nothing doubled: make demo-crash KILLS=20 SEED=7 STORAGE=postgresql:///webwx
	@$(BIN)/python -m tests.soak.crash $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(if $(STORAGE),--storage $(STORAGE))

test: tools  ## The quick tests
	@$(IN_MEMORY); set -x; $(PYTEST) -n 3 --dist worksteal

check: tools  ## Format, lint, types, import contracts, words
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --warnings
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_words.py

verify: tools cover  ## What CI adds: strangers' clients and servers, a real browser, the built package, full coverage
	@$(SYNC) --group interop --group browser --group site
	$(PYTEST) -n 2 -m 'verify and not alone'
	$(PYTEST) -m alone $(ALONE)
	$(PYTEST) -n 2 --hypothesis-profile thorough $(GENERATED)

cover: tools  ## Full branch coverage of protocol/ and flows/, by their own tests
	$(PYTEST) -n 2 --cov=webwx --cov-branch --cov-report= tests/protocol tests/flows tests/test_reprs.py
	$(BIN)/coverage report --include='*/webwx/protocol/*,*/webwx/flows/*' --fail-under=100 --show-missing --skip-covered

fuzz: tools  ## Feed damaged input to every decoder, with a seed that it prints: make fuzz SECONDS=600 SEED=7
	$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

mutate: tools  ## Change one expression of the code at a time, and list what no test notices: make mutate COUNT=100 SEED=7 ONLY=client/sending/*.py
	$(BIN)/python scripts/mutate.py $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)') $(if $(JOBS),--jobs $(JOBS))

bench: tools  ## Speed and memory, each beside its floor and a peer: make bench CASES="sends receive" ROUNDS=5 COMPARE=1 FORMER=../former RESUME=1
	@$(SYNC) --group interop
	@$(BIN)/python -m benchmarks $(CASES) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(COMPARE),--compare) $(if $(BASELINE),--set-baseline) $(if $(FORMER),--former $(FORMER)) $(if $(RESUME),--resume)

bench-plots: setup  ## Draw how cost grows, from what `make bench CASES=growth` has measured
	@$(BIN)/python -m benchmarks.plots

bench-sandbox: tools  ## Hold the polls of a thousand accounts, and time how soon a message reaches one: make bench-sandbox ACCOUNTS=1000
	@$(BIN)/python benchmarks/sandbox.py $(if $(ACCOUNTS),--accounts $(ACCOUNTS))

soak: tools  ## The delivery goals with the numbers of a release, for an hour or two: make soak GOALS="G-R21" SEED=7 SEEDS=20
	$(BIN)/python -m tests.soak $(GOALS) $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SCALE),--scale $(SCALE))

docs: tools  ## Regenerate docs/wire.md, docs/protocol/raw-fields.md, docs/development/architecture.md and the requests of docs/topics/gateway.md
	$(BIN)/python docs/make_wire.py
	$(BIN)/python docs/make_routes.py
	$(BIN)/python -m scripts.architecture
	$(BIN)/python -m tests.raw_fields

site: tools  ## Build the documentation site in build/site/html, in both languages, and check its pages
	@$(SYNC) --group site
	@$(BIN)/python -m scripts.site

packages: tools  ## Build the packages of a release twice in build/release, check them, and try them in bare environments
	@$(SYNC) --group release
	@$(BIN)/python -m scripts.release check

release-check: site packages  ## All that can be checked of a release before there is one

release: tools  ## Make a release up to its tag, and publish nothing: make release VERSION=0.2.0
	@test -n "$(VERSION)" || { echo 'Name the version: make release VERSION=0.2.0' >&2; exit 2; }
	@$(SYNC) --all-extras --group release
	@$(BIN)/python -m scripts.release begin $(VERSION)
	@$(MAKE) check test verify release-check
	@$(BIN)/python -m scripts.release end

records: tools  ## Rewrite the record of every request, after a call was added or changed on purpose
	$(BIN)/python -m tests.protocol.requests

blocking: tools  ## Rewrite Client, BlockingSubscription and SyncContext from the asynchronous classes
	$(BIN)/python scripts/make_blocking.py

messages: tools  ## Collect the summaries of the commands and all messages for translation, and compile the catalogue
	$(BIN)/python -m scripts.make_summaries
	$(BIN)/python -m scripts.make_messages

sandbox: setup  ## A server of the protocol on loopback
	@$(BIN)/webwx sandbox

format: tools  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove what was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
