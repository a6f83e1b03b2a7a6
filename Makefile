# Everything a person types here. Each target brings and starts what it needs, from a fresh clone.
# Local databases live in .local: `dev` is yours, `test` belongs to make test and is thrown together as needed.

PYTHON := .venv/bin/python
STACK := $(PYTHON) supabase/local/commands.py
CHECKS := $(PYTHON) supabase/local/checks.py
WITH_STAND_INS := PYTHONPATH=supabase/local:tests/stand_ins:tests/demo $(PYTHON)
export DO_NOT_TRACK := 1
export SUPABASE_NO_UPDATE_NOTIFIER := 1

.DEFAULT_GOAL := help
.PHONY: help venv up down reset status psql env migrate demo serve screenshots test test-all lowest pgtap pytest lint bench measure-calls measure-api measure-matching migration release examples generated shapes

help: ## what you can do here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: .venv/ready ## the Python environment in .venv

.venv/ready: pyproject.toml constraints.txt
	@python3 -c 'import sys; sys.exit("Python 3.11 or newer is needed.") if sys.version_info < (3, 11) else None'
	@test -x .venv/bin/python || python3 -m venv .venv
	@echo "Installing Python packages into .venv ..." >&2
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

up: venv ## start the local Supabase and apply the migrations
	@$(STACK) up

down: venv ## stop it; the data stays
	@$(STACK) down

reset: venv ## throw its data away and start anew
	@$(STACK) reset

status: venv ## what runs where
	@$(STACK) status

psql: venv ## a prompt in its database
	@$(STACK) psql

env: venv ## its addresses and keys, as lines a shell can eval
	@$(STACK) env

migrate: venv ## apply missing migrations: to DATABASE_URL if set, else locally
	@$(STACK) migrate

migration: venv ## draft the next step from what the schemas say (NAME=what_changes); without NAME: checksums anew
	@$(STACK) guard
	@$(PYTHON) supabase/local/drafting.py draft $(if $(NAME),"$(NAME)")

release: venv ## freeze the steps that are there: from now on their files never change
	@$(PYTHON) supabase/local/drafting.py release

shapes: venv ## write records.py of the Python package from the types that the verbs answer with
	@$(STACK) guard
	@$(PYTHON) supabase/local/shapes.py

examples: venv ## record what the API answers anew, for its description
	@$(STACK) guard
	@RECORD_EXAMPLES=1 $(PYTHON) -m pytest --quiet tests/api/test_examples.py::test_the_examples_are_what_is_answered

generated: venv ## write the schema files that come from the lists in supabase/data
	@$(PYTHON) supabase/local/generated.py

demo: venv ## twenty books get their covers (LIVE=1 asks the real providers, JSON=path writes the result)
	@$(STACK) guard
	@$(WITH_STAND_INS) tests/demo/demo.py $(if $(filter-out 0 no false,$(LIVE)),--live) $(if $(JSON),--json "$(JSON)")

serve: venv ## try the page: prints a link that signs a reader with twenty books in (PORT=8000, FRESH=1 begins anew, LIVE=1)
	@$(STACK) guard
	@$(WITH_STAND_INS) tests/demo/serve.py $(if $(PORT),--port $(PORT)) $(if $(filter-out 0 no false,$(LIVE)),--live) $(if $(filter-out 0 no false,$(FRESH)),--fresh)

screenshots: venv ## draw the page for the README, on a phone and a desk, light and dark
	@$(STACK) guard
	@$(WITH_STAND_INS) tests/demo/screenshots.py

test: venv ## lint, pgTAP on Postgres 15 and 17, and pytest, in databases of their own; all of them, even if one fails
	@$(STACK) guard
	@status=0; for part in lint 'pgtap PG= ARGS=' 'pgtap PG=17 ARGS=' pytest; do $(MAKE) --no-print-directory $$part || status=1; done; exit $$status

test-all: venv ## test, then pgTAP on Postgres 18 and what takes longer: the wheel alone, far from the clone, and lowest
	@status=0; $(MAKE) --no-print-directory test || status=1; \
	$(MAKE) --no-print-directory pgtap PG=18 ARGS= || status=1; \
	$(MAKE) --no-print-directory pytest ARGS='-m extended' || status=1; \
	$(MAKE) --no-print-directory lowest || status=1; exit $$status

lowest: venv ## the tests of the package with the lowest versions of what it needs that pyproject.toml allows
	@$(CHECKS) lowest

pgtap: venv ## the tests in supabase/tests (ARGS=path picks a file or folder, PG=17 or 18 another Postgres)
	@$(CHECKS) pgtap $(if $(PG),--postgres $(PG)) $(ARGS)

pytest: venv ## the tests in tests (ARGS='-k name' picks some)
	@$(STACK) guard
	@$(PYTHON) -m pytest $(or $(ARGS),--numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 10)

lint: venv ## ruff, mypy, biome, sqlfluff (bodies too), sizes, plpgsql_check, supabase db lint, db advisors
	@$(CHECKS) lint

bench: venv ## how long the sweep takes beside plain UPDATE statements (JSON=path writes the figures)
	@$(STACK) guard
	@$(WITH_STAND_INS) tests/benchmarks/bench.py $(if $(JSON),--json "$(JSON)")

measure-calls: venv ## how many calls an import of 1,000 books makes (JSON=path writes the figures)
	@$(STACK) guard
	@$(WITH_STAND_INS) tests/benchmarks/measure_calls.py $(if $(JSON),--json "$(JSON)")

measure-matching: venv ## how far the matching can be trusted (PAIRS=tsv, else our own pairs; CATALOGUE=csv, ERRORS=path, JSON=path)
	@$(STACK) guard
	@$(WITH_STAND_INS) tests/benchmarks/measure_matching.py $(if $(PAIRS),"$(PAIRS)") $(if $(CATALOGUE),--catalogue "$(CATALOGUE)") $(if $(ERRORS),--errors "$(ERRORS)") $(if $(JSON),--json "$(JSON)")

measure-api: venv ## how long the API takes with 100,000 queue rows, beside select 1 (JSON=path writes the figures)
	@$(STACK) guard
	@$(WITH_STAND_INS) tests/benchmarks/measure_api.py $(if $(JSON),--json "$(JSON)")
