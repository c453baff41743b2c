# `make demo` and `make test` need Python 3.11 or newer and nothing else; what is missing is named with the line that mends it.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-chat faults soak-talk test check format bench bench-ears bench-talk schemas editors words fuzz simulate constraints clean
BIN := .venv/bin

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*##/  make \1 -/p' $(MAKEFILE_LIST)

setup:  ## make the environment in .venv, or mend it
	@.ci/setup

demo: setup  ## two calls, answered by flows/front-desk.yaml over real sockets
	@$(BIN)/python -m flowengine demo

demo-chat: setup  ## a conversation with a language model: real SDKs against doubles of the vendors, real audio
	@$(BIN)/python tests/vendors/demo_chat.py

faults: setup  ## what a caller hears when a vendor fails, for every fault of the doubles (five minutes; ONLY=voice BEHIND=1)
	@$(BIN)/python tests/vendors/faults.py --only "$(ONLY)" $(if $(BEHIND),--behind)

soak-talk: setup  ## CALLS (200) conversations over the vendors' doubles with random faults, and what they leave
	@$(BIN)/python tests/vendors/soak.py --calls $(or $(CALLS),200) --seed $(or $(SEED),1)

test: check  ## the checks, then every test
	$(BIN)/python -m pytest

check: setup  ## lint, format and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## measure the checker, the interpreter, whole calls, the line, and hearing
	$(BIN)/python tests/bench/check.py
	$(BIN)/python tests/bench/interpreter.py
	$(BIN)/python tests/bench/calls.py
	$(BIN)/python tests/bench/line.py
	$(BIN)/python tests/bench/hearing.py
	$(BIN)/python tests/bench/decision.py

bench-talk: setup  ## measure what the engine adds to a turn with a language model, at more and more calls at once
	@$(BIN)/python tests/bench/talk.py

bench-ears: setup  ## score how well the engine listens, by labelled calls, in bench-ears/ (CALLS=2 SEED=1 SOCKETS=1)
	@$(BIN)/python tests/bench/ears.py --calls $(or $(CALLS),2) --seed $(or $(SEED),1) $(if $(SOCKETS),--sockets)

schemas: setup  ## make schemas/ anew: the JSON Schemas, and the tables of the language reference
	@for name in flow included tests settings events; do $(BIN)/python -m flowengine schema $$name > schemas/$$name.schema.json; done
	@PYTHONPATH=. $(BIN)/python tests/reference.py

editors: setup  ## install the language server of editors beside the packages (needs npm), and try the schemas with it
	npm install --loglevel=error --no-save --no-audit --no-fund --no-package-lock --prefix .venv/editors yaml-language-server@1.25.0
	$(BIN)/python -m pytest tests/editors

words: setup  ## measure how well the local recognizer hears, by voice and noise (ten minutes)
	@$(BIN)/python -m tests.bench.words

fuzz: setup  ## load what nobody meant, for SECONDS (60), in a child with limits
	@$(BIN)/python tests/fuzz.py $(or $(SECONDS),60) $(or $(SEED),1)

simulate: setup  ## live SEEDS (1-5000) of calls where anything goes wrong at any moment, on both cores
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1-5000)
	@$(BIN)/python -m tests.simulation --awaits

constraints: setup  ## pin what pyproject.toml asks for, in constraints.txt
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra mcp --extra openai --extra sphinx --universal --fork-strategy fewest --python-version 3.11 --upgrade \
		--no-header --no-annotate --quiet -o constraints.txt

clean:  ## delete what can be made again: .venv, caches, the demo's files
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis demo bench-ears dist
	find flowengine tests -name __pycache__ -type d -prune -exec rm -rf {} +
