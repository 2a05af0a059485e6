# make demo: train on real digits and see what came of it.   make test: run the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KERNELS := $(shell find src/beak -name '*.cc' -o -name '*.h')
BUILD_FILES := pyproject.toml CMakeLists.txt constraints.txt $(KERNELS)

.PHONY: demo test check wheel bench clean

demo: $(VENV)/core
	$(BIN)/beak train digits --out runs/demo --overwrite
	$(BIN)/beak predict runs/demo digits --show 6

test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto --dist worksteal $(if $(SLOW),,-m "not slow") $(ARGS)

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_rooms.py

wheel: $(VENV)/dev
	$(BIN)/python -m build --wheel

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: $(VENV)/bin/python $(BUILD_FILES)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/dev: $(VENV)/bin/python $(BUILD_FILES)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $(VENV)/core $@

clean:
	rm -rf $(VENV) build dist
