# `make demo` and `make test` need Python 3.11 or later with pip, g++, make and perl, and nothing installed before: they make
# .venv here and install the versions of requirements.lock into it. After the first time that costs nothing.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: help demo test types tests test-long bench documents clean
.DELETE_ON_ERROR:

help:
	@echo "make demo       learn digits in float and in integers, compare, write Verilog and run it: build/demo"
	@echo "make test       style, types, tests; those of the RTL need g++, and Icarus Verilog for some"
	@echo "make test-long  the full figures: 10,000 MNIST images and 200 random networks through the RTL, every planted bug"
	@echo "make bench      speed and memory, as JSON in build/bench (needs MNIST and PyTorch: .venv/bin/pip install torch==2.13.0)"
	@echo "make documents  write the recorded figures into README.md and docs, and draw their pictures"
	@echo "make clean      remove .venv and build"

demo: $(READY)
	$(BIN)/python -m wuxing demo -o build/demo

# The check of types has one process, so tests run beside it
test: $(READY)
	$(BIN)/python -m ruff check .
	@$(MAKE) --no-print-directory -j 2 types tests

types: $(READY)
	$(BIN)/python -m mypy

tests: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-long: $(READY)
	$(BIN)/python -m pytest --long

bench: $(READY)
	mkdir -p build/bench
	$(BIN)/python bench/gradient_steps.py --json build/bench/gradient_steps.json
	$(BIN)/python bench/speed.py --json build/bench/speed.json

documents: $(READY)
	$(BIN)/python bench/documents.py

clean:
	rm -rf .venv build

# The first Python that is new enough: $(PYTHON), or one named by its version. Where Debian keeps ensurepip apart from
# Python (package python3-venv), the pip of the system puts one into the empty environment.
$(READY): requirements.lock pyproject.toml
	@set -e; found=; \
	for python in $(PYTHON) python3 python3.15 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Wuxing needs Python 3.11 or later: install it, or name it with make PYTHON=..." >&2; exit 2; fi; \
	rm -rf .venv; \
	if ! "$$found" -m venv .venv >/dev/null 2>&1; then \
	  rm -rf .venv; "$$found" -m venv --without-pip .venv; "$$found" -m pip --python $(BIN)/python install -q pip; \
	fi
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
