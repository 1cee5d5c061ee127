# Everything here works on a fresh machine with Python 3.11 or newer, git and make:
# the first target that needs it makes .venv and installs what the lock file pins.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check bench docs lock clean

demo: $(READY)  ## run the example project in build/demo, and those with folders of data beside it
	rm -rf build/demo
	mkdir -p build
	cp -r examples/sunspots build/demo
	cd build/demo && git init -q && git add . \
	  && git -c user.name=demo -c user.email=demo@localhost commit -q -m "Begin"
	cd build/demo && $(CURDIR)/$(BIN)/smttask project init --name sunspots --no-template
	cd build/demo && git add . \
	  && git -c user.name=demo -c user.email=demo@localhost commit -q -m "Ignore the stores"
	cd build/demo && $(CURDIR)/$(BIN)/python run.py
	for example in tasker_tour tasker_many; do \
	  rm -rf build/$$example && cp -r examples/$$example build/$$example \
	    && (cd build/$$example && $(CURDIR)/$(BIN)/python run.py) || exit 1; \
	done

test: $(READY)  ## the whole suite: first the quick tests, then faults and scale
	$(BIN)/pytest -n 2 -m "not slow"
	$(BIN)/pytest -n 2 -m slow || test $$? -eq 5

check: $(READY)  ## lint, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

bench: $(READY)  ## one table of times, each beside its peer
	$(BIN)/python -m pip install -q -r requirements/bench.txt
	$(BIN)/python -m benchmarks

docs: $(READY)  ## HTML in docs/_build/html, a warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

lock: $(READY)  ## renew requirements/ci.txt; on Python 3.11, so that it installs on all later ones
	mkdir -p build
	$(BIN)/pip-compile -q --upgrade --strip-extras --allow-unsafe --no-header --no-annotate \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --extra test --extra docs --extra dev -o build/ci.txt pyproject.toml
	{ echo "# What CI and make install; renew it with: make lock PYTHON=python3.11"; cat build/ci.txt; } \
	  > requirements/ci.txt

clean:
	rm -rf .venv build docs/_build

$(READY): pyproject.toml requirements/ci.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "smttask needs Python 3.11 or newer: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements/ci.txt
	$(BIN)/python -m pip install -q --no-deps -e .
	touch $(READY)
