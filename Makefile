# Hounsfield. `make` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help setup build wheel tarball sbom repro control scores mlflow mlflow-sync register serve mpi image up down test test-fast fuzz search bench bench-bases bench-gpu bench-heads bench-remotes bench-serve lint docs lock clean-features

PROFILE ?=
DATA ?=
MLFLOW ?=
AGAIN ?=
ROUNDS ?= 3
MUTATIONS ?= 60000
ONLY ?=
SECOND ?=
REMOTES ?=

# MLFLOW=1 tracks the run: on the server that MLFLOW_TRACKING_URI names, or else that of make mlflow.
ifeq ($(MLFLOW),1)
repro: export MLFLOW_TRACKING_URI := $(or $(MLFLOW_TRACKING_URI),http://127.0.0.1:5000)
endif

# The DVC root that a command works on: the project itself, or a study.
root := $(if $(PROFILE),studies/$(PROFILE),.)

help: ## this list
	@echo "Hounsfield: reproducible tumour-image classification. Research use only."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make repro                                           the synthetic sample, in minutes"
	@echo "  make repro PROFILE=chest-ct DATA=~/chest-ct.zip      your own scans"
	@echo "  make mlflow & make repro MLFLOW=1                    the same, with a page for every run"
	@echo "  PROFILE: chest-ct, chest-ct-binary, brain-mri, two-class, or a name of your own"
	@echo
	@echo "  . .venv/bin/activate"
	@echo "  dvc exp run -S train.seed=18                         one change: only what depends on it runs"
	@echo "  scripts/stage train --help                           one stage by itself"

setup: ## installs DVC and libtorch into .venv, pinned; REMOTES=s3,ssh for such DVC remotes; does nothing when they are there
	@REMOTES="$(REMOTES)" scripts/setup

build: setup ## builds the stage programs
	@scripts/stage --build

wheel: setup ## what people install, into dist: the programs and the Python package
	@scripts/setup wheel
	@scripts/wheel

tarball: setup ## the programs alone, into dist, for machines without Python
	@scripts/setup wheel
	@scripts/wheel tarball

sbom: ## what the programs are made of, into dist, in CycloneDX's format
	@scripts/sbom

repro: setup ## the whole pipeline, then its scores; PROFILE=… DATA=… for real scans; MLFLOW=1 tracks it, AGAIN=1 trains once more
	@AGAIN="$(AGAIN)" scripts/repro "$(PROFILE)" "$(DATA)"

control: setup ## the score without learning: the same on shuffled labels, in a folder aside; PROFILE=…
	@scripts/control "$(PROFILE)"

scores: setup ## the scores of the last run; PROFILE=… for those of a study
	@scripts/stage hounsfield scores $(root)

mlflow: ## an MLflow server on http://127.0.0.1:5000, until Ctrl-C
	@scripts/mlflow

mlflow-sync: setup ## sends the MLflow server the records that it missed; PROFILE=… for the runs of a study
	@cd $(root) && $(CURDIR)/scripts/stage mlflow-sync

search: setup ## many heads by grouped cross-validation, as search.yaml says; PROFILE=… for a study, WORKERS=2 at a time
	@scripts/setup search
	@scripts/stage --build
	@cd $(root) && $(CURDIR)/scripts/stage hounsfield search $(if $(WORKERS),--workers "$(WORKERS)")

register: setup ## the model on the MLflow server, champion if it beats the present one; PROFILE=…
	@cd $(root) && $(CURDIR)/scripts/stage register

serve: setup ## predictions and a page on http://127.0.0.1:8080, until Ctrl-C; PROFILE=…
	@cd $(root) && $(CURDIR)/scripts/stage serve

image: tarball ## the image of the prediction server, in Docker
	@deploy/docker/build serve

up: ## the server with its database, MLflow and monitoring, in containers
	@deploy/compose/up

down: ## stops them; what they stored stays
	@deploy/compose/down

test: setup ## every test, with what they need; ONLY=rust, python or browser for those alone
	@scripts/setup reference
	@scripts/setup wheel
	@scripts/setup docs
	@scripts/setup airflow
	@scripts/test $(ONLY)

mpi: setup ## train-mpi, whose processes share a training by epochs; needs mpicc and libclang: docs/scaling.md
	@cargo build --release --locked --package train --features mpi --bin train-mpi

test-fast: setup ## unit tests of the crates, without those of the network and without Python: two minutes when built
	@scripts/test fast

fuzz: setup ## a million damaged files: none may end in a panic or keep memory
	HOUNSFIELD_MUTATIONS=$(MUTATIONS) cargo test --release --locked -p imaging --test hostile --test dicom -- no_mutation

bench: setup ## speed compared with Keras and PyTorch, on an idle machine: DATA=… ROUNDS=3 ONLY=train,decode
	@scripts/bench "$(DATA)" "$(ROUNDS)" "$(ONLY)"

bench-gpu: ## the same on an NVIDIA GPU, from the built programs alone: nothing is compiled or fetched
	@scripts/bench --gpu

bench-heads: ## heads that are solved, compared with scikit-learn's, on an idle machine: IMAGES=685,7000,100000 ROUNDS=3
	@scripts/setup reference
	@.venv-reference/bin/python bench/heads.py $(if $(IMAGES),--images "$(IMAGES)") $(if $(ROUNDS),--rounds "$(ROUNDS)")

bench-bases: ## features of every base beside PyTorch, on an idle machine: ROUNDS=5
	@scripts/setup reference
	@LIBTORCH=$(CURDIR)/.venv/libtorch cargo build --quiet --release --locked --workspace --example base-speed
	@.venv-reference/bin/python bench/bases.py --rounds "$(ROUNDS)"

bench-remotes: ## DVC remotes with many small files, and with one archive: FILES=100000 ONLY=folder,s3,ssh JOBS=4,16
	@REMOTES=s3,ssh scripts/setup
	@scripts/setup reference
	@.venv-reference/bin/python bench/remotes.py $(if $(FILES),--files "$(FILES)") $(if $(ONLY),--only "$(ONLY)") $(if $(JOBS),--jobs "$(JOBS)")

bench-serve: setup ## the prediction server compared with Flask + Keras, on an idle machine: PROFILE=… DATA=folder ROUNDS=3 ONLY=…
	@scripts/bench-serve "$(root)" "$(DATA)" "$(ROUNDS)" "$(ONLY)" "$(SECOND)"

lint: setup ## format, lints, types, documentation, licences, workflow: as CI does
	@scripts/setup lint
	@scripts/lint

docs: setup ## the documents as a site, site/index.html, which opens without a network
	@scripts/setup docs
	@scripts/docs

lock: ## locks the Python requirements again, from requirements*.in
	@scripts/lock

clean-features: ## removes the cached features of the frozen base; PROFILE=… for those of a study
	rm -rf $(root)/artifacts/features
