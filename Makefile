# make reproduce   run every outdated notebook, in order; PROFILE=quick (minutes), full (hours) or paper (GPU)
# make test        run unit tests and README examples; compare every notebook's outputs and results with the stored ones
# make lab         open the notebooks in JupyterLab
# make site        build a website of the stored notebooks, README, RESULTS, ledger and reference in build/site; check links
# make figures     redraw figures/ from results/, one folder per profile
# make notebooks   execute the notebooks in place, so that their outputs, results/quick and figures/ come from one run
# make clean       remove the environment and everything computed except results/ and figures/
PROFILE ?= quick
CORES   ?= $(shell getconf _NPROCESSORS_ONLN)
VENV    ?= .venv
RUN     := $(VENV)/bin/python
READY   := $(VENV)/.ready

.PHONY: reproduce test lint lab site figures notebooks clean

reproduce: $(READY)
	@$(RUN) -m snakemake --cores $(CORES) --rerun-incomplete --quiet host --config profile=$(PROFILE)

test: $(READY) lint
	$(RUN) -m pytest tests
	rm -rf build/test && mkdir -p build/test/results
	cp -r $(filter-out results/quick,$(wildcard results/*)) build/test/results
	FAIRHUMAN_WORKSPACE="$$PWD/build/test" $(RUN) -m pytest --nbval-lax --nbval-cell-timeout=1800 -p no:cacheprovider notebooks
	FAIRHUMAN_WORKSPACE="$$PWD/build/test" $(RUN) -m pytest -p no:cacheprovider tests/rerun.py

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m ty check --python $(VENV)

lab: $(READY)
	$(RUN) -m jupyterlab --notebook-dir . --LabApp.default_url=/lab/tree/notebooks

# Warnings and broken links are errors.
site: $(VENV)/.site
	$(RUN) -m sphinx --quiet --fail-on-warning --keep-going --conf-dir site --doctree-dir build/site-cache . build/site

figures: $(READY)
	$(RUN) -m fairhuman figures
	$(RUN) -m fairhuman.experiments.architecture

notebooks: $(READY)
	$(RUN) -m fairhuman refresh

clean:
	rm -rf $(VENV) build runs .snakemake .pytest_cache .ruff_cache .hypothesis

# The environment is built once, and rebuilt when its inputs change. Every package has a locked version and hash;
# the last step installs this folder itself. requirements/lock.py writes the locks.
PIP     := $(RUN) -m pip install --quiet --disable-pip-version-check --no-deps
$(READY): pyproject.toml $(wildcard requirements/*.lock)
	@python=; for candidate in $(PYTHON) python3.11 python3.12 python3 python; do \
	    if $$candidate -c 'import sys; sys.exit(not (3, 11, 5) <= sys.version_info[:3] < (3, 13))' 2>/dev/null; \
	    then python=$$candidate; break; fi; done; \
	if [ -z "$$python" ]; then echo "Python 3.11 (at least 3.11.5) or 3.12 is required, found $$(python3 --version 2>&1). Install it, or give its path: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	echo "Building the environment in $(VENV) with $$($$python --version) (about three minutes)"; \
	$$python -m venv $(VENV)
	@$(PIP) --require-hashes --requirement requirements/cpu.lock 2>/dev/null || true
	@$(PIP) --require-hashes --requirement requirements/all.lock
	@if $(RUN) -c 'import importlib.metadata as m, sys; sys.exit(not any("cuda" in r or "nvidia" in r for r in m.requires("torch")))'; \
	then $(PIP) --require-hashes --requirement requirements/cuda.lock; fi
	@$(PIP) --no-build-isolation --editable .
	@$(RUN) -c 'import cv2' 2>/dev/null || { echo "OpenCV cannot load: $$($(RUN) -c 'import cv2' 2>&1 | tail -n 1). On Debian and Ubuntu: apt-get install libgl1 libglib2.0-0" >&2; exit 1; }
	@touch $@

# Additional packages for the site.
$(VENV)/.site: $(READY) requirements/site.lock
	@$(PIP) --require-hashes --requirement requirements/site.lock
	@touch $@
