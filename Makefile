# make demo: train on real digits and look into the network.   make test: run the tests.
# make check: linters, types, rooms.   make wheel: build a wheel.   make bench: beside the peers.
PYTHON ?= python3
VENV := .venv
BENCH := .venv-bench
PEERS := torch==2.13.0 keras jax tensorflow-cpu onnx onnxruntime openvino
BIN := $(VENV)/bin
KERNELS := $(shell find src/beak -name '*.cc' -o -name '*.h')
BUILD_FILES := pyproject.toml CMakeLists.txt constraints.txt $(KERNELS)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: demo test check format wheel bench clean

demo: $(VENV)/core
	$(BIN)/beak train digits --out runs/demo --overwrite
	@if [ -t 1 ] && [ -z "$$CI" ]; then $(BIN)/beak look runs/demo; fi

# Slow tests too: make test SLOW=1.   One file: make test ARGS=tests/cli
test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto --dist worksteal $(if $(SLOW),,-m "not slow") $(ARGS)

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_rooms.py

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Needs nothing of the environment but pip: what builds the wheel is fetched beside it.
wheel: $(VENV)/bin/python
	@$(PIP) wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/beak-*.whl

# One work: make bench ARGS='--only "train lecture"'.   As a table for a page: ARGS=--markdown
bench: $(BENCH)/ready
	$(BENCH)/bin/python benchmarks/peers.py $(ARGS)

# A venv of its own; a peer that does not install here is left out, and peers.py says so.
$(BENCH)/ready: $(VENV)/bin/python $(BUILD_FILES)
	@echo "Installing beak and its peers into $(BENCH) ..."
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
		--constraint constraints.txt --editable .
	@for peer in $(PEERS); do \
		$(BENCH)/bin/python -m pip --disable-pip-version-check --no-input install --quiet $$peer \
			|| echo "make: $$peer does not install here; it is left out"; \
	done
	@touch $@

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing; beak needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $$($(PYTHON) --version) is too old; name a newer one: make PYTHON=python3.11"; exit 1; }
	@command -v $${CXX:-g++} >/dev/null || { echo "make: $${CXX:-g++} is missing; beak's kernels are C++"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# An editable install: Python files are used where they stand; kernels are compiled here, once.
$(VENV)/core: $(VENV)/bin/python $(BUILD_FILES)
	@echo "Installing beak and compiling its kernels into $(VENV) ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/dev: $(VENV)/bin/python $(BUILD_FILES)
	@echo "Installing beak with all that its tests need into $(VENV) ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $(VENV)/core $@

clean:
	rm -rf $(VENV) $(BENCH) build dist
