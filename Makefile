# make demo: set up everything and stylize a photograph. make test: set up everything and run the tests.
# Needs Python 3.11 or newer, make and the package index; PYTHON=python3.12 make demo picks another Python.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test study notebook test-cluster test-gpu check docs figures results tables clean
.DELETE_ON_ERROR:

demo: .venv/demo-installed
	$(BIN)/python scripts/fetch.py vgg19_q8
	$(BIN)/python scripts/stylize.py preset=demo hydra.run.dir=outputs/demo
	@echo "the picture:             outputs/demo/image.png"
	@echo "content, style, result:  outputs/demo/comparison.png"
	@echo "the losses:              outputs/demo/losses.png"

test: .venv/test-installed
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Opens the tutorial in a browser.
notebook: .venv/notebook-installed
	$(BIN)/python -m notebook docs/start/tutorial.ipynb

# Starts Ray and SLURM on this machine (Debian's slurm-wlm and munge, as root), disturbs a sweep on each, stops them.
test-cluster: .venv/test-installed .venv/ray-installed .venv/slurm-installed
	$(BIN)/python -m pytest -rs tests/cluster/sweep_on_ray.py tests/cluster/sweep_on_slurm.py

# Where there is an NVIDIA GPU, at most eight minutes: docs/how-to/gpu.md. The table goes into results/.
test-gpu: .venv/gpu-installed
	$(BIN)/python scripts/fetch.py vgg19_q8
	$(BIN)/python scripts/fetch.py images
	$(BIN)/python scripts/check_gpu.py

# The site, in build/site.
docs: .venv/docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "the site: build/site/index.html; mkdocs serve shows it while you write"

check: .venv/test-installed docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/configuration_tables.py --check
	$(BIN)/python scripts/results.py render --check
	$(BIN)/python scripts/preset_pages.py --check
	$(BIN)/python scripts/sentences.py
	$(BIN)/python -m pytest -q --durations=0 tests/test_documents.py -k link

# Every figure, small (authors_curve has the size of what it is compared with), two runs at a time, or one with AT_ONCE=.
# Larger: SIZE=384 EVALUATIONS=150; the committed ones have a command each in docs/reproduce/figures.md. A second call computes
# nothing. Anything else by FIGURES="image.size_px=512 network=vgg19" make figures.
SIZE ?= 192
EVALUATIONS ?= 50
AT_ONCE ?= hydra/launcher=joblib_local hydra.launcher.n_jobs=2
FIGURES ?= image.size_px=$(SIZE) image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=$(EVALUATIONS) tracking=off
# These have hundreds of cells, or a preset a cell; their full settings (docs/reproduce/figures.md) are their own.
COMPARED := gatys_vs_johnson gallery seeds
COMPARISONS ?= image.size_px=96 optimizer.max_evaluations=30 tracking=off
# Side topics minimize something else and have arguments of their own, at their default sizes.
SIDE := class_image adversarial filter_image linear_classifier
PLAIN = $(filter-out $(COMPARED) $(SIDE),$(basename $(notdir $(wildcard experiments/*.py))))
figures: .venv/demo-installed .venv/joblib-installed
	$(BIN)/python scripts/fetch.py vgg19_q8
	$(BIN)/python scripts/fetch.py vgg16
	$(BIN)/python scripts/fetch.py images
	@for name in $(PLAIN); do $(BIN)/python experiments/$$name.py $(FIGURES) $(AT_ONCE) || exit; done
	@for name in $(COMPARED); do $(BIN)/python experiments/$$name.py $(COMPARISONS) $(AT_ONCE) || exit; done
	@for name in $(SIDE); do $(BIN)/python experiments/$$name.py || exit; done

# Gatys' layers or Johnson's (docs/experiments/protocol.md): goes on where it was stopped, and writes results/ as it goes.
# Another network or size: STUDY="--network vgg16 --size 96" make study; of style statistics: STUDY=statistics; one
# thing changed: STUDY=changes.
STUDY ?=
study: .venv/demo-installed
	$(BIN)/python scripts/fetch.py vgg19_q8
	$(BIN)/python scripts/fetch.py images
	$(BIN)/python scripts/study.py $(STUDY)

# Every table of README and docs that is not a definition, from results/, configs/ and the schema; make check compares.
tables: .venv/test-installed
	$(BIN)/python scripts/configuration_tables.py
	$(BIN)/python scripts/results.py render
	$(BIN)/python scripts/preset_pages.py

# Rows of results/: every preset and the gallery's six pairs at 256 px, the five small runs of the tests; then the tables.
results: .venv/demo-installed .venv/joblib-installed
	$(BIN)/python experiments/gallery.py image.size_px=256 optimizer.max_evaluations=100 mix.max_evaluations=100 tracking=off $(AT_ONCE)
	$(BIN)/python scripts/results.py collect outputs/experiments/gallery results/presets.csv
	$(BIN)/python scripts/results.py small
	$(BIN)/python scripts/results.py render
	$(BIN)/python scripts/preset_pages.py

# One installation an extra; a second call finds the stamp and installs nothing.
# On a terminal pip shows what it downloads.
.venv/%-installed: setup.cfg | .venv/bin/python
	@echo "installing TensorFlow and the rest into .venv: 2.6 GB, once, some minutes"
	$(BIN)/python -m pip install $(if $(MAKE_TERMERR),,--quiet) --disable-pip-version-check --editable '.[$*]'
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "stn needs Python 3.11 or newer; name one with PYTHON=python3.11 make ..."; exit 1; }
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build outputs multirun *.egg-info
