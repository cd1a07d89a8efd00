# Two commands: `make run` and `make test`. Everything else is listed by `make help`.
.DEFAULT_GOAL := help
.PHONY: help run test coverage demo demo-loop setup setup-dev lint format type sam-setup sam-validate checkov sam-build deploy sam-base-image image-build sam-test sam-commands-test aws-cli-setup aws-cli-test ministack-setup rehearse spark-setup spark-test bench bench-model bench-bucket bench-shift bench-watch bench-files bench-spark simulate simulate-challengers simulate-monitor models soak flips reliability lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000
LAMBDA_PORT ?= 3001
BUCKET_PORT ?= 9000
# Who may call the API of `make run`: open, iam or jwt.
AUTH ?= open
# How many processes run the tests: auto is two for each processor, since tests that start a stack wait a lot.
TEST_PROCESSES ?= auto
# Which tests `make test` runs: make test TESTS=tests/unit/emulator
TESTS ?= tests
# What installs: uv, from PATH or else put into the environment by pip. `make PIP=pip …` has pip do it all.
PIP ?= uv

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 24

run: setup ## Run the API and its bucket on this machine, with a model; Ctrl-C ends it. Closed: make run AUTH=iam (or jwt)
	@$(BIN)/peerloan up --auth $(AUTH) --port $(PORT) --lambda-port $(LAMBDA_PORT) --bucket-port $(BUCKET_PORT)

test: setup-dev ## Run every test that needs no Docker
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) $(TESTS)

coverage: setup-dev ## Run the unit and contract tests, and print the branches that they reach
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --cov --cov-report term tests/unit tests/contract

demo: setup ## Five guarded rollouts under load: a good version is promoted, four bad ones are taken back
	@$(BIN)/peerloan demo

demo-loop: setup ## A year of quarters in some minutes: the monitor finds what changes, and retraining repairs it
	@$(BIN)/peerloan demo-loop

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

# $(call make_environment,FOLDER). Debian's python3 has no venv by itself, and leaves half a folder when it fails.
make_environment = $(PYTHON) -m venv $(1) || { rm -rf $(1); \
  echo "$(PYTHON) can't make an environment. On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }

# $(call install,FOLDER) ARGUMENT... Compiled as pip does it: some processes may not write what they compile.
install = $(if $(filter pip,$(PIP)),$(1)/bin/python -m pip install --quiet --disable-pip-version-check,\
  env-setup/uv.sh $(1) pip install --quiet --compile-bytecode --python $(1)/bin/python)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name one with make PYTHON=..." >&2; exit 1; }
	@$(call make_environment,$(VENV))

# A file marks what is installed, and is written last: an installation that was cut off is done again.
$(VENV)/.installed: env-setup/pip_requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the environment into $(VENV): half a minute or so."
	@$(call install,$(VENV)) --require-hashes -r $<
	@$(call install,$(VENV)) --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: env-setup/pip_requirements_dev.txt $(VENV)/.installed
	@$(call install,$(VENV)) --require-hashes -r $<
	@touch $@

lint: setup-dev ## Style, formatting and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: setup-dev ## Put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: setup-dev ## Types, strictly
	$(BIN)/mypy

SAM_ENV := PATH="$(CURDIR)/.sam-venv/bin:$$PATH" SAM_CLI_TELEMETRY=0

sam-setup: .sam-venv/.installed ## Install SAM CLI in an environment of its own

.sam-venv/bin/python:
	@$(call make_environment,.sam-venv)

# --no-deps: the lock is complete, and pip cannot match the extras that SAM CLI asks for with hashed pins.
.sam-venv/.installed: env-setup/pip_requirements_sam.txt | .sam-venv/bin/python
	@$(call install,.sam-venv) --no-deps --require-hashes -r $<
	@touch $@

sam-validate: sam-setup ## Check template.yaml; needs no AWS account
	$(SAM_ENV) sam validate --lint

checkov: setup-dev ## Check template.yaml for security, with checkov in an environment of its own
	env-setup/uv.sh $(VENV) tool run --quiet --python $(BIN)/python --from checkov==3.3.30 \
	  checkov --file template.yaml --framework cloudformation --skip-download --compact --quiet

sam-build: sam-setup ## Build the function and its layer as Lambda gets them, and measure them
	$(SAM_ENV) sam build
	$(PYTHON) env-setup/check_package_size.py

CONFIG_ENV ?= default
# Further words replace parameters of samconfig.toml: make deploy CONFIG_ENV=prod PARAMETERS="MemorySize=3008". YES=1
# deploys without asking; RENEW=1 publishes a version, and so takes a new snapshot, even if nothing has changed.
deploy: $(if $(filter image,$(CONFIG_ENV)),image-build,sam-build) ## Build, and deploy to AWS: CONFIG_ENV=prod, PARAMETERS="NAME=VALUE"
	$(SAM_ENV) $(PYTHON) env-setup/deploy.py --config-env $(CONFIG_ENV) $(if $(YES),--yes) $(if $(RENEW),--renew) $(PARAMETERS)

sam-base-image: setup ## Build SAM's base image from Debian packages, where AWS's can't be pulled
	PYTHON=$(CURDIR)/$(BIN)/python env-setup/lambda-base-image/build.sh

IMAGE := $(CURDIR)/build/image
# The folder is Docker's context. What pip installs is fetched here and not in Docker, which may not know the index.
image-build: sam-setup ## Build the function as a container image, with the libraries of requirements-image.txt
	rm -rf $(IMAGE) && mkdir -p $(IMAGE)/function
	$(SAM_ENV) $(MAKE) -C functions/predict build-PredictFunction REQUIREMENTS=requirements-image.txt ARTIFACTS_DIR=$(IMAGE)/function
	$(MAKE) -C layers/shared build-SharedLayer ARTIFACTS_DIR=$(IMAGE)/layer
	cp functions/predict/Dockerfile $(IMAGE)
	$(SAM_ENV) python env-setup/image_template.py template.yaml $(IMAGE)/template.yaml
	$(SAM_ENV) sam build --config-env image $(addprefix --parameter-overrides Architecture=,$(PREDICT_ARCHITECTURE))

sam-test: setup-dev sam-setup ## Test with SAM CLI, in Docker and with the emulator
	$(SAM_ENV) $(BIN)/pytest -m "sam or samcli" tests/e2e tests/integration/emulator/stack_api

sam-commands-test: setup-dev sam-setup ## Test the commands of SAM CLI that need no Docker with the emulator
	$(SAM_ENV) $(BIN)/pytest -m samcli tests/integration/emulator/stack_api

aws-cli-setup: .aws-venv/.installed ## Install the AWS CLI and s3fs in an environment of their own

.aws-venv/bin/python:
	@$(call make_environment,.aws-venv)

.aws-venv/.installed: env-setup/pip_requirements_awscli.txt | .aws-venv/bin/python
	@$(call install,.aws-venv) --require-hashes -r $<
	@touch $@

aws-cli-test: setup-dev aws-cli-setup ## Test Lambda's API and the bucket with the AWS CLI
	PATH="$(CURDIR)/.aws-venv/bin:$$PATH" $(BIN)/pytest -m awscli tests/integration/emulator

ministack-setup: .ministack-venv/.installed ## Install MiniStack, a stand-in for AWS, in an environment of its own

# MiniStack runs the function by its own Python, and the function's wheels are for Lambda's.
.ministack-venv/bin/python: | $(VENV)/bin/python
	@python=$$(env-setup/find_python.sh 3.13) && $$python -m venv .ministack-venv || { rm -rf .ministack-venv; exit 1; }

.ministack-venv/.installed: env-setup/pip_requirements_ministack.txt | .ministack-venv/bin/python
	@$(call install,.ministack-venv) --require-hashes -r $<
	@touch $@

# What is built already is deployed: make sam-build rehearse after a change.
rehearse: setup-dev ministack-setup sam-setup $(if $(wildcard .aws-sam/build/template.yaml),,sam-build) ## Deploy what is built to a stand-in for AWS, four times; needs Python 3.13
	$(SAM_ENV) $(BIN)/pytest -m rehearsal tests/rehearsal

spark-setup: .spark-venv/.installed ## Install PySpark in an environment of its own; it needs Java 17 or newer

.spark-venv/bin/python:
	@$(call make_environment,.spark-venv)

.spark-venv/.installed: env-setup/pip_requirements_spark.txt | .spark-venv/bin/python
	@$(call install,.spark-venv) --require-hashes -r $<
	@touch $@

# Spark's own script says only that JAVA_HOME is not set.
has_java = java -version >/dev/null 2>&1 || test -n "$$JAVA_HOME" || \
  { echo "Spark needs Java 17 or newer. On Debian or Ubuntu: apt install openjdk-17-jre-headless" >&2; exit 1; }

spark-test: setup-dev spark-setup ## Score and tally on Spark, and compare with what one machine makes; needs Java
	@$(has_java)
	$(BIN)/pytest -s -m spark tests/spark

bench: setup-dev ## How fast the emulator serves beside SAM CLI, FastAPI and MiniStack; writes docs/benchmarks.md
	@$(SAM_ENV) $(BIN)/python tests/load/bench_service.py --docs docs \
	  $(if $(wildcard models/improved/model.pkl),--improved models/improved)

bench-model: setup-dev ## How much faster arrays serve than pickles, and how fast files are scored
	@$(BIN)/python tests/load/bench_model.py $(if $(wildcard models/improved/model.pkl),--improved models/improved) \
	  $(if $(wildcard models/basic/model.pkl),--basic models/basic)

bench-bucket: setup-dev ## How fast the bucket answers GETs and PUTs of a small object beside moto's server
	@$(BIN)/python tests/load/bench_bucket.py

bench-shift: setup-dev ## The longest request while the API shifts to a version that is served from its pickle
	@$(BIN)/python tests/load/bench_shift.py

bench-watch: setup-dev ## How fast days of the prediction log are counted, and in how much memory; in docs/benchmarks.md
	@$(BIN)/python tests/load/bench_watch.py --docs docs

SPARK_ROWS ?= 10000000
bench-spark: setup-dev spark-setup ## How fast Spark scores beside peerloan score, and ten million rows: SPARK_ROWS=1000000 for fewer
	@$(has_java)
	@$(BIN)/python tests/load/bench_spark.py --rows $(SPARK_ROWS) \
	  $(patsubst %/model.pkl,--model %,$(wildcard models/basic/model.pkl models/improved/model.pkl))

bench-files: setup-dev ## A dropped file of two million rows, scored in the emulator although its function is killed twice
	@PEERLOAN_FILES_ROWS=2000000 $(BIN)/python -m pytest -q -s tests/integration/service/test_files.py

simulate: setup-dev ## How often and how soon the guards take back good and bad versions: 10,000 simulated rollouts
	@$(BIN)/python tests/load/rollouts/simulate_rollouts.py

simulate-challengers: setup-dev ## How often a shadow version is called better by mistake, and how soon by right
	@$(BIN)/python tests/load/simulate_challengers.py

simulate-monitor: setup-dev ## How often the monitor cries wolf, and how soon it finds harm: 1,000 simulated years of nightly looks
	@$(BIN)/python tests/load/simulate_monitor.py

models: setup-dev ## Publish every kind of pipeline; writes the table of docs/models.md. One kind: make models KINDS=knn-imputer
	@PYTHONPATH=tests/kit $(BIN)/python -m pipelines $(KINDS)

soak: setup-dev ## 100,000 requests while environments are killed at random
	@$(BIN)/python tests/load/soak.py

flips: setup-dev ## 100 alias flips and a rollout under load, checked against the promises of docs/architecture.md
	@$(BIN)/python tests/load/flips.py

reliability: setup-dev ## Run the fault tests; write docs/reliability.md and the tests of docs/emulator-fidelity.md
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) -m "fault and not sam and not awscli" --fault-report build/faults.json
	$(BIN)/python tests/reliability.py build/faults.json docs/reliability.md
	$(BIN)/python -m tests.fidelity

lock: setup-dev ## Pin all environments anew
	env-setup/lock.sh $(CURDIR)/env-setup/uv.sh $(CURDIR)/$(VENV)

clean: ## Remove what the targets above made, but not the local bucket
	rm -rf $(VENV) .sam-venv .aws-venv .ministack-venv .spark-venv .aws-sam build models .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage \
		.import_linter_cache
