# `make demo` answers the main question on two real recordings; `make test` runs every test.
# Both build their own environment in $(VENV) and need only Python 3.11 or newer and make.

PYTHON ?= python3
VENV ?= .venv
# The tests need torch for the networks. A CPU build is enough.
TORCH ?= torch==2.13.0
# Processes that test side by side.
TESTERS ?= 2
# What `make bench` passes on, such as: --data DIR --resemblyzer PYTHON --senko PYTHON --quick
BENCH ?=
BIN := $(VENV)/bin
# How long the failure drill lasts, and where it keeps what it found.
SECONDS ?= 600
KEEP ?= drill
# Tools of a release, at fixed versions, in an environment of their own.
RELEASE_VENV ?= $(VENV)-release
# What `make release-check` passes on, such as: --only oldest --models CACHE (a folder as SAMEVOICE_CACHE names it)
CHECK ?=

.PHONY: demo test quick coverage drill lint types docs screenshots bench release release-check clean

demo: $(VENV)/.core
	$(BIN)/samevoice models pull
	$(BIN)/samevoice verify samples/sample_1a.mp3 samples/sample_1b.mp3

test: $(VENV)/.dev
	$(BIN)/samevoice models pull campplus silero segmentation ge2e
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal

# All tests but those marked `slow`.
quick: $(VENV)/.dev
	$(BIN)/samevoice models pull campplus silero segmentation ge2e
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal -m "not slow"

# A process of this test may write nowhere, and coverage says so on its standard error.
UNCOVERED := tests/gallery/test_database.py::test_a_read_only_folder_or_file_is_told_in_a_sentence

# Lines and branches that the tests reach which are not slow, in all their processes; the second table leaves out what only training needs.
coverage: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet 'coverage>=7.10' 'pytest-cov>=7'
	$(BIN)/samevoice models pull campplus silero segmentation ge2e
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal -m "not slow" --cov --cov-fail-under=90 --cov-report=term:skip-covered --deselect $(UNCOVERED)
	$(BIN)/python -m coverage report --skip-covered --omit='*/networks/*,*/training/*,*/losses/*'

# Damaged and lying input for every entry.
drill: $(VENV)/.dev
	$(BIN)/samevoice models pull campplus silero
	$(BIN)/python tests/hostile/drill.py $(SECONDS) --keep $(KEEP)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.docs: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[dev,train]'
	touch $@

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.docs
	$(BIN)/python -m mkdocs build --quiet --strict
	$(BIN)/python -m tools.docs.check site

screenshots: $(VENV)/.dev
	PYTHONPATH=tests/service $(BIN)/python tests/web/screenshots.py docs/screenshots
	PYTHONPATH=tests/service $(BIN)/python tests/web/screenshots_meeting.py docs/screenshots
	$(BIN)/samevoice models pull
	$(BIN)/python -m tools.docs.pictures docs/screenshots

bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet faiss-cpu usearch
	$(BIN)/samevoice models pull campplus silero segmentation
	$(BIN)/python -m benchmarks.suite $(BENCH) --out benchmarks/results/suite.json
	$(BIN)/python -m benchmarks.suite_page benchmarks/results/suite.json -o docs/benchmarks.md

release: $(RELEASE_VENV)/.ready
	rm -rf dist
	$(RELEASE_VENV)/bin/python -m releasing.building
	$(RELEASE_VENV)/bin/python -m releasing.inventory dist/*.whl

release-check: $(RELEASE_VENV)/.ready
	$(RELEASE_VENV)/bin/python -m releasing.checking $(CHECK) dist/*.whl

$(RELEASE_VENV)/.ready: releasing/requirements.txt
	$(PYTHON) -m venv $(RELEASE_VENV)
	$(RELEASE_VENV)/bin/python -m pip install --quiet --requirement releasing/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(RELEASE_VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist site
