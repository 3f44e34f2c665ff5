# Two commands do everything on a machine with Python 3.11 and a package index: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint types quick bench bench-image bench-audio bench-video bench-trail bench-service bench-fit clean

help:  ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY)  ## everything into .venv, as locked

# pip alone, with hashes: uv is welcome (uv.lock is the source) but not needed
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "needs Python 3.11 as $(PYTHON); or: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## the whole story on bundled media; leaves a report to open
	$(BIN)/colophon demo --report demo-report

serve: $(READY)  ## the service on http://127.0.0.1:8000
	$(BIN)/colophon serve

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

test: lint types  ## lint, types, every test
	$(BIN)/pytest -n 2 --dist loadfile

quick: $(READY)  ## the tests that take seconds
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow and not browser"

bench: $(READY)  ## the figures of the README and of keys/README.md: minutes; the others below take longer
	$(BIN)/python -m tests.bench

bench-image: $(READY)  ## the table of the image mark, beside its peers
	$(BIN)/python -m tests.bench.image_table --save $(VENV)/bench-image.jsonl

bench-audio: $(READY)  ## the tables of the sound mark, into watermark/SOUND.md: half an hour and more
	$(BIN)/python -m tests.bench.audio --write
	$(BIN)/python -m tests.bench.soundfit --write

bench-video: $(READY)  ## the tables of the film mark, into watermark/VIDEO.md: an hour; FILMS="a.mp4 b.mp4" for others than the corpus
	$(BIN)/python -m tests.bench.video --write $(FILMS)
	for part in gaps attackers cost; do $(BIN)/python -m tests.bench.films $$part --write $(FILMS); done
	for seed in 1 2 3 4 5 6 7; do $(BIN)/python -m tests.bench.films chance --seed $$seed \
	  --save $(VENV)/video-chance.jsonl --write $(FILMS); done

bench-service: $(READY)  ## the figures of api/README.md: feed, verifying, a million assets, attacks, strangers: an hour
	$(BIN)/python -m tests.bench.feed
	$(BIN)/python -m tests.bench.service
	$(BIN)/python -m tests.bench.attack
	$(BIN)/python -m tests.bench.strangers

bench-fit: $(READY)  ## where a picture was changed, into provenance/README.md: half an hour
	$(BIN)/python -m tests.bench.fit --write

bench-trail: $(READY)  ## the tables of the trail, to 10^6 entries on both databases, and of 10,000 imports: half an hour
	$(BIN)/python -m tests.bench.trail --entries 1000000 --curve --write
	$(BIN)/python -m tests.bench.imports --write

clean:
	rm -rf $(VENV) build demo-report *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
