# The front door. `make` alone lists what there is.

STACK  := python3 localstack/stack.py
PYTHON := .local/venv/bin/python
FUZZ_SECONDS ?= 60
SEEDS ?= 10000
TEST_SEEDS ?= 2000
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint bench simulate fuzz shell clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what demo and tests need, into .local (Debian packages too, when root)
	@$(STACK) setup

build: setup ## compile everything (debug)
	@cargo build --locked --bins --examples

demo: build ## watch the whole pipeline on real parts; DEMO_SECONDS=40 of events
	@$(STACK) run --name demo -- $(PYTHON) localstack/demo.py

lint: setup ## formatting, clippy, the CloudFormation template
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	.local/venv/bin/cfn-lint infra/cloudformation/*.yaml

test: lint build ## lint, unit tests, integration tests on real parts
	@SEEDS=$(TEST_SEEDS) $(STACK) run --name test -- cargo test --locked

bench: setup ## mapping, merge, a large snapshot and a backfill beside floors and aims, the worker beside a bare pump
	@cargo build --locked --release --bins --examples
	@$(PYTHON) localstack/bench_normalize.py
	@$(PYTHON) localstack/bench_collect.py
	@$(PYTHON) localstack/bench_backfill.py
	@$(STACK) run --name bench-merge -- $(PYTHON) localstack/bench_merge.py
	@cargo build --locked --example mock-kafka
	@$(STACK) run --name bench -- $(PYTHON) localstack/bench.py

simulate: ## worlds in virtual time against an oracle; SEEDS=10000 of them from SEED=1 on; TELL=1 says what is wrong
	@SEEDS=$(SEEDS) SEED=$(SEED) cargo test --locked --profile simulation --test simulation -- \
		every_world_ends_in_the_truth --exact --nocapture

fuzz: ## any bytes into the readers and the mapping; FUZZ_SECONDS=60 for each target
	@command -v cargo-fuzz >/dev/null || { echo 'first: cargo install cargo-fuzz'; exit 1; }
	@for target in envelope event mapper; do \
		mkdir -p fuzz/corpus/$$target && RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target \
			fuzz/corpus/$$target tests/golden -- -max_total_time=$(FUZZ_SECONDS) -dict=fuzz/json.dict || exit 1; \
	done

shell: build ## LocalStack and Kafka with a shell, to look around
	@$(STACK) shell

clean: ## remove what was built and installed
	cargo clean
	rm -rf .local
