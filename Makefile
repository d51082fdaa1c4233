# `make` alone prints what there is. Every target makes the environments it needs, from nothing.
PYTHON  ?= $(firstword $(shell command -v python3.11 python3))
BLENDER ?= 4.5
SEED    ?= 1
ENV      = $(PYTHON) tests/environments/make.py
VENV     = build/venv
HOST     = $(VENV)/host-$(BLENDER)/bin/python
WORKER   = $(VENV)/worker/bin/python
BENCH    = $(VENV)/bench/bin/python
HOSTS    = host-4.2 host-4.5 host-5.0 host-5.2

export DIFFSYNTH_WORKER_PYTHON = $(CURDIR)/$(WORKER)

.PHONY: help demo looks test test-matrix test-install test-faults bench wheels extension lint clean

help:
	@echo "make demo         render the demo shot, stylise it, write build/demo/"
	@echo "make looks        the five looks and six styles of the demo shot, into build/looks/"
	@echo "make test         all tests that need no GPU"
	@echo "make test-matrix  the host tests on every bpy wheel this machine's Pythons allow"
	@echo "make test-install the worker's environment set up, broken, repaired and removed, for real"
	@echo "make test-faults  kills, full disks, broken files: a table of what was tried; SEED=7 tries others"
	@echo "make bench        timings and figures, side by side, into build/bench/"
	@echo "make wheels       fetch the installer that the extension brings, into wheels/"
	@echo "make extension    validate and build the extension zip into build/"
	@echo "make lint         ruff, mypy, import contract"
	@echo "make clean        remove build/demo, build/looks, build/bench and the zip (environments stay)"

demo:
	@$(ENV) worker host-$(BLENDER)
	$(HOST) -m diffsynth_blender.demo --output build/demo

looks: demo
	$(WORKER) -m diffsynth_blender.demo.gallery --shot build/demo/job --output build/looks
	$(WORKER) -m diffsynth_blender.demo.gallery --shot build/demo/job --output build/looks --pictures

# The worker's tests and the host's run in their own Pythons; the host's come last, so the output ends with pytest's summary.
test:
	@$(ENV) worker host-$(BLENDER)
	$(WORKER) -m pytest --ignore=tests/host
	$(HOST) -m pytest tests/host

test-matrix:
	@set -e; for host in $$($(ENV) --available $(HOSTS)); do \
	  $(ENV) worker $$host; echo "== $$host"; $(VENV)/$$host/bin/python -m pytest tests/host; done

test-install:
	@$(ENV) worker
	$(WORKER) -m pytest -o "python_files=test_*.py whole*.py" tests/setup tests/models/test_hub.py tests/models/test_model_commands.py tests/models/test_scan.py

test-faults:
	@$(ENV) worker host-$(BLENDER)
	$(WORKER) -m tests.faults --seed $(SEED) --host $(HOST)

bench:
	@$(ENV) worker bench host-$(BLENDER)
	$(HOST) -m tests.benchmarks.clips.render
	$(WORKER) -m tests.benchmarks memory diffusion passes
	$(BENCH) -m tests.benchmarks remap patchmatch long_clips blending

wheels:
	$(PYTHON) -m diffsynth_blender.environment.bundled_uv

extension: wheels
	@$(ENV) host-$(BLENDER)
	@mkdir -p build
	@tool=$$(find $(VENV)/host-$(BLENDER) -path '*addons_core/bl_pkg/cli/blender_ext.py' | head -1); \
	 $(HOST) $$tool validate . && $(HOST) $$tool build --source-dir . --output-dir build --split-platforms && \
	 for zip in build/*.zip; do $(HOST) $$tool validate $$zip; done

lint:
	@$(ENV) lint
	$(VENV)/lint/bin/ruff check .
	$(VENV)/lint/bin/ruff format --check .
	$(VENV)/lint/bin/mypy
	$(VENV)/lint/bin/lint-imports

clean:
	rm -rf build/demo build/looks build/bench build/*.zip
