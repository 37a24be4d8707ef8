# Everything a newcomer or a machine does here. `make help` lists it.
.DEFAULT_GOAL := help
PY := .venv/bin/python
RUN := .venv/bin/
RELEASE ?= assay
SYSTEM ?= assay-system
# connections to servers that a test has killed are left to the garbage collector, which may come after the last test
KILLED := -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

# processes of a run of pytest; who has nothing left to do takes from the others
SPREAD := -n 3 --dist worksteal
FAST := not slow and not cluster and not e2e
SLOWEST := --durations=20 --durations-min=15

include hack/cluster/cluster.mk

.PHONY: help env demo test test-long check fast units static coverage cluster-tests e2e install generate generated bench validate validate-peers bench-serving format

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

env: ## the development environment in .venv, from the lock file
	@PYTHONPATH=hack python3 -m environment

demo: env ## the whole loop on a real cluster: a model wins its experiment, another is rolled back
	@$(PY) hack/demo/run.py $(ARGS)

test: env ## every check there is: format, lint, types, contracts, generated files, unit, process, e2e
	@$(MAKE) -s -k -j2 units static cluster-tests
	@$(MAKE) -s e2e

test-long: env validate validate-peers ## what is rare: many more examples, and the statistics' full simulations
	ASSAY_PROFILE=long $(RUN)pytest -q $(SPREAD) -m "hypothesis and not cluster and not e2e"

check: env ## the fast inner loop: no cluster, and no test that takes long
	@$(MAKE) -s -k -j2 fast static

fast: env
	$(RUN)pytest -q $(SPREAD) -m "$(FAST)"

units: env # all that needs no cluster; two processes, as another stage runs beside
	$(RUN)pytest -q $(SPREAD) -n 2 $(SLOWEST)

coverage: env ## the fast tests with branch coverage, which must not fall below any package's floor
	@mkdir -p out
	CI=1 $(RUN)pytest -q $(SPREAD) -m "$(FAST)" --cov --cov-report=json:out/coverage.json
	@$(PY) hack/coverage_floors.py out/coverage.json

static: env # format, lint, types, import contracts, generated files
	$(RUN)ruff format --check -q .
	$(RUN)ruff check -q .
	$(RUN)mypy
	$(RUN)lint-imports --no-cache >/dev/null || $(RUN)lint-imports --no-cache
	@$(MAKE) -s generated

cluster-tests: env ## the tests on an API server without nodes: no root, no pods
	$(RUN)pytest -q -m cluster $(KILLED) $(SLOWEST) tests/cluster

e2e: env ## the tests on a cluster of their own (ASSAY_KEEP=1 leaves it up for the next run)
	$(RUN)pytest -q -m "cluster or e2e" $(KILLED) $(SLOWEST) tests/e2e

install: cluster load ## install Assay into the cluster, or upgrade it
	@eval "$$($(HACK) cluster kubeconfig $(CLUSTER))" && helm upgrade --install $(RELEASE) charts/assay \
	  --namespace $(SYSTEM) --create-namespace --values out/$(CLUSTER)/images.yaml --wait --timeout 3m

generate: env ## write every generated file anew: CRDs, the chart's copies and references
	@$(PY) -m assay_api.crd crds
	@PYTHONPATH=hack $(PY) -m reference
	@$(PY) hack/generate_chart.py

generated: # fails if a generated file is not what `make generate` writes
	@$(PY) hack/generated.py
	@$(PY) hack/generate_chart.py --check

format: env ## format and mend what can be mended
	$(RUN)ruff format -q .
	$(RUN)ruff check -q --fix .

bench: env ## every benchmark, with its peer in the same run
	@for b in benchmarks/*.py; do echo "== $$b"; $(PY) $$b || exit 1; done

bench-serving: env ## the predictor against its peers
	@$(PY) benchmarks/serving_peers.py

validate: env ## the statistics' full simulations; writes the figures of docs/statistics.md
	@$(PY) -m assay_stats.validation && $(PY) tests/support/decision_runs.py

validate-peers: env ## the statistics against other engines, in an environment of their own
	@$(PY) hack/validate_peers
