# Every command sets up what it needs first; run again, that takes a moment.
PY := .venv/bin/python
LESSON := notebooks/00_start_here.ipynb
# Jupyter refuses to run as root unless told; containers often are root.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# As the default address, so that the line it prints leads to the lesson with --no-browser too.
OPEN := --LabApp.default_url=/lab/tree/$(LESSON)
# Long lines of code wrap, which beside JupyterLab's file browser would else be cut off; your own settings still win.
WRAP := --LabApp.app_settings_dir=tools/jupyterlab
# Two threads, no hub: tests give the same result on a laptop, offline and in CI.
TEST_ENV := OMP_NUM_THREADS=2 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1

.DEFAULT_GOAL := help
.PHONY: help setup assets lab test demo notebooks slides bundle bench bench-feedback bench-train

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

lab: assets ## open JupyterLab at lesson 00; ARGS="--no-browser --port 9999" goes to jupyter lab
	@exec $(PY) -m jupyterlab $(OPEN) $(WRAP) $(AS_ROOT) $(ARGS)

test: assets ## run every check: style, tests, doctests, notebooks; ARGS="-k metrics" goes to pytest
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(TEST_ENV) $(PY) -m pytest --durations=10 $(ARGS)

demo: assets ## recommend films for an English and a Chinese sentence
	@$(PY) -m llmrec_lab.cli recommend "I like science fiction films and machine learning"
	@$(PY) -m llmrec_lab.cli recommend "我喜欢太空探险的科幻电影和温暖的动画片"

notebooks: assets ## build the notebooks from lessons/; N=00 builds one
	@$(TEST_ENV) $(PY) tools/build_notebooks.py $(N)

slides: setup ## make build/slides/NN_name.html from the built notebooks; N=03 makes one
	@$(PY) tools/make_slides.py $(N)

bundle: assets ## make build/bundle, which installs and runs without network; ARGS=--open leaves MovieLens out
	@$(PY) tools/make_bundle.py $(ARGS)

bench: assets ## time the library against its peers; N=1 runs one row, ARGS=--quick only tries them
	@$(TEST_ENV) $(PY) -m benchmarks $(N) $(ARGS)

bench-feedback: assets ## time events, learners, and the log (row 6), then the live server under load
	@$(TEST_ENV) $(PY) -m benchmarks 6
	@$(TEST_ENV) $(PY) -m benchmarks.load

bench-train: assets ## time training steps (row 5), then train on the films for about 25 minutes, and see what it brings
	@$(TEST_ENV) $(PY) -m benchmarks 5
	@$(TEST_ENV) $(PY) -m benchmarks.finetune_films

assets: setup ## fetch and verify the models and the data
	@$(PY) -m llmrec_lab.cli assets --encode

setup: ## make .venv as requirements.lock says
	@PYTHON="$(PYTHON)" bash tools/setup.sh
