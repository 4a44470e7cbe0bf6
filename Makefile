# One word per habit. `make` lists them.

PYTHON    ?= python3
VENV      ?= .venv
PORT      ?= 8080
MODEL_DIR ?= local_test/test_dir/model
IMAGE     ?= sagemaker-serving:local
PLATFORM  ?=
# make image: an artifact, model.tar.gz or a folder, whose code/requirements.txt the image shall meet.
MODEL     ?=
PYTEST    ?= -q
JOBS      ?= -n 3 --dist loadscope

# make bench: all of it by default; what is named here is run alone, and leaves docs/ as it is.
PEERS     ?=
CELLS     ?=
ROUNDS    ?= 3
SECONDS   ?= 8
ADD       ?=
SERIES    ?=
MINUTES   ?= 10
PARTS     ?=
SLOTS     ?= csv,rf,ner
# make profile: a file to send and its media type; by default the manifest's sample request.
PAYLOAD   ?=
TYPE      ?= text/csv

# make conformance: further options of the checker.
CHECK     ?=

py := $(VENV)/bin/python
tools := build/bench/tools/venv
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo serve test check image deploy conformance conformance-modes strangers bench growth profile coldstart overload slow-clients bench-models soak lock docs clean nginx wrk
.DEFAULT_GOAL := help

help: ## list these words
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: nginx $(VENV)/runtime ## train the sample, serve it, ask it, stop it
	@$(py) -m local_test.demo

serve: nginx $(VENV)/runtime local_test/test_dir/model/manifest.json ## serve a model until Ctrl-C: PORT=8080 MODEL_DIR=...
	@exec $(py) -m local_test.run --port $(PORT) --model-dir "$(MODEL_DIR)"

test: nginx $(VENV)/dev ## run the whole suite; Docker tests skip where no engine answers
	@$(py) -m pytest $(JOBS) $(PYTEST)

check: $(VENV)/dev ## formatting, lint, types, layers, docs
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(py) -m local_test.settings_page --check

image: ## build the image: IMAGE=name:tag PLATFORM=linux/amd64; MODEL=model.tar.gz adds what its code/requirements.txt asks for
	docker build $(if $(PLATFORM),--platform $(PLATFORM)) -t $(IMAGE) .
ifneq ($(MODEL),)
	@$(PYTHON) -m local_test.take_requirements "$(MODEL)" build/model
	@test ! -e build/model || docker build $(if $(PLATFORM),--platform $(PLATFORM)) --build-arg IMAGE=$(IMAGE) \
		-f Dockerfile.model -t $(IMAGE) build/model
endif

deploy: $(VENV)/deploy ## what python -m deploy needs: boto3 in .venv; then .venv/bin/python -m deploy VERB

conformance: image $(VENV)/conformance local_test/test_dir/model/manifest.json ## check the image against SageMaker's contract: CHECK="--fast --only RUN"
	@$(py) -m local_test.conformance $(IMAGE) --model-dir local_test/test_dir/model $(sample_job) $(CHECK)

conformance-modes: image $(VENV)/conformance local_test/test_dir/model/manifest.json ## the same in each hosting mode, started as that mode starts it: docs/conformance.md
	@$(py) -m bench.modes --image $(IMAGE)

strangers: image $(VENV)/conformance $(VENV)/runtime ## the same of images of other stacks: docs/conformance.md
	@$(py) -m bench.conformance --image $(IMAGE)

bench: $(VENV)/runtime $(tools)/ready nginx wrk ## this server beside its peers: PEERS=... CELLS=... ROUNDS=3 SECONDS=8 ADD=file.json
	@$(py) -m bench --peers "$(PEERS)" --cells "$(CELLS)" --rounds $(ROUNDS) --seconds $(SECONDS) \
		$(addprefix --add ,$(ADD)) --save $(call results,races,$(PEERS)$(CELLS)$(ADD)) || $(some_failed)
	@$(tools)/bin/python -m bench.report $(call report,races,$(PEERS)$(CELLS)$(ADD))

growth: $(VENV)/runtime $(tools)/ready nginx wrk ## what it does as work grows: SERIES="rows:1,100;workers:1,2"
	@$(py) -m bench.growth $(if $(SERIES),--series "$(SERIES)") --save $(call results,growth,$(SERIES)) || $(some_failed)
	@$(tools)/bin/python -m bench.report $(call report,growth,$(SERIES))

profile: $(VENV)/runtime $(tools)/ready nginx wrk local_test/test_dir/model/manifest.json ## where a request's time goes: MODEL_DIR=... PAYLOAD=... TYPE=...
	@$(py) -m bench.profile --model-dir "$(MODEL_DIR)" $(if $(PAYLOAD),--payload "$(PAYLOAD)" --content-type "$(TYPE)")

coldstart: $(VENV)/runtime nginx local_test/test_dir/model/manifest.json ## where the time of a start goes: MODEL_DIR=...
	@$(py) -m bench.coldstart --model-dir "$(MODEL_DIR)"

overload: $(VENV)/runtime nginx wrk ## four times as much as it can do: SLOTS=csv,rf,ner ROUNDS=3
	@$(py) -m bench.overload --slots "$(SLOTS)" --rounds $(ROUNDS)

slow-clients: $(VENV)/runtime nginx wrk ## what a thousand slow clients cost the others: ROUNDS=3
	@$(py) -m bench.slow_clients --rounds $(ROUNDS)

bench-models: $(VENV)/runtime nginx wrk ## a thousand models in one server: PARTS=crowd,warm,cycles,workers ROUNDS=3
	@$(py) -m bench.many --rounds $(ROUNDS) $(addprefix --parts ,$(PARTS)) --save $(call results,models,$(PARTS))

soak: $(VENV)/runtime nginx wrk ## all kinds of requests at once, each answer checked: MINUTES=10
	@$(py) -m bench.soak --minutes $(MINUTES)

sample_job = --channel training=local_test/test_dir/input/data/training \
	--hyperparameter max_iter=200 --hyperparameter C=1.0 --hyperparameter validation_share=0.2 \
	--metric 'validation:accuracy=validation:accuracy=([0-9.]+)'

# A server that failed is told on the page, beside the others' figures.
some_failed = test $$? = 1

# A whole run is the published one; a part of it goes into build/.
results = $(if $(2),build/bench/$(1).json,bench/results/$(1).json)
report = $(call results,$(1),$(2)) $(if $(2),--docs build/bench/docs)

lock: ## write requirements*.lock anew from requirements*.txt
	@test -x $(VENV)/lock/bin/uv || { $(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install -q uv; }
	@for name in requirements requirements-dev deploy/requirements local_test/conformance/requirements tests/requirements-sdk tests/requirements-sdk-v3 tests/requirements-cdk bench/requirements; do \
		echo "$$name.lock"; \
		$(VENV)/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-annotate --no-header $$name.txt -o $$name.lock || exit 1; \
	done

docs: $(VENV)/dev ## write the generated parts of docs/ anew
	$(py) -m local_test.settings_page

clean: ## remove what make made
	rm -rf $(VENV) build local_test/test_dir/model local_test/test_dir/output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

nginx:
	@local_test/ensure_nginx.sh

wrk:
	@bench/ensure_wrk.sh

local_test/test_dir/model/manifest.json: | $(VENV)/runtime
	@SAGEMAKER_BASE_DIR=local_test/test_dir $(py) -m container train

# Stamps: the second run of anything finds them and starts at once.
$(VENV)/runtime: requirements.lock
	@$(call install,requirements.lock,$(VENV))
	@touch $@

$(VENV)/dev: requirements-dev.lock
	@$(call install,requirements-dev.lock,$(VENV))
	@touch $@ $(VENV)/runtime

$(VENV)/deploy: deploy/requirements.lock
	@test -e $(VENV)/dev || { $(call install,deploy/requirements.lock,$(VENV)); }
	@touch $@

$(VENV)/conformance: local_test/conformance/requirements.lock $(VENV)/runtime
	@test -e $(VENV)/dev || { $(call install,local_test/conformance/requirements.lock,$(VENV)); }
	@touch $@

$(tools)/ready: bench/requirements.lock
	@$(call install,bench/requirements.lock,$(tools))
	@touch $@

define install
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }; \
	test -x $(2)/bin/python || $(PYTHON) -m venv $(2) || \
		{ echo "Python's venv is missing. On Debian: sudo apt-get install python3-venv" >&2; exit 1; }; \
	echo "installing $(1) into $(2): about a minute, once"; \
	$(2)/bin/python -m pip install --no-input --require-hashes -r $(1)
endef
