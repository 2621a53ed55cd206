# `make` lists what there is. Run from here.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# Cargo works in parallel by itself, and its calls would only wait for each other.
.NOTPARALLEL:
.DEFAULT_GOAL := help

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
TOOL := $(TARGET)/release/nerite
IMAGE := $(TARGET)/x86_64-unknown-none/image/nerite-unikernel
BARE := scripts/cargo-bare.sh
HERMIT := scripts/cargo-hermit.sh
HERMIT_IMAGE := $(TARGET)/x86_64-unknown-hermit/hermit/nerite-unikernel
CARGO ?= cargo
TEST := NERITE_TARGET=$(TARGET) $(CARGO) test --quiet --no-fail-fast
CLIPPY_ARGS := -- -D warnings

# For `make crash`: how long, from which workload on, how many losses of power in a row, and which bug
# is planted first (`make crash PLANTED=?` names them). PLANTED goes for `make test` and `make ci` too,
# which must fail then.
SECONDS ?= 60
SEED ?= $(shell date +%s)
DEPTH ?= 2
PLANTED ?=
# For `make model`.
RUNS ?= 300

# The explorer makes and drops images all the time: without these, glibc hands each one back to the
# kernel, which takes as long as the work itself.
CRASH_ENV := MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000
CRASH_BUILD := build --quiet --profile crash -p nerite-tests --bin crash
WITH_PLANTS := RUSTFLAGS='--cfg planted' $(CARGO) $(CRASH_BUILD) --target-dir $(TARGET)/planted
CRASH_PLANTED := $(CRASH_ENV) $(TARGET)/planted/crash/crash
ifeq ($(PLANTED),)
CRASH := $(CRASH_ENV) $(TARGET)/crash/crash
else
CRASH := $(CRASH_PLANTED) --planted '$(PLANTED)'
endif
# What `make test` explores, and what it must have seen at least; and where each planted bug must be
# found. With three losses of power in a row a workload takes ten times as long.
SHARE := --seed 1 --workloads 240
FLOORS := --least-states 800000 --least-depth2 600000
DEEP_SHARE := --seed 1001 --workloads 12 --depth 3

# For `make install`: where, and for packages, below which folder.
PREFIX ?= /usr/local
DESTDIR ?=
ROOT := $(DESTDIR)$(PREFIX)

# For `make run` and `make hermit`: the machine (q35 or microvm), the disk, more words for the guest.
MACHINE ?= q35
DISK ?= run/disk.img
WORDS ?=
export MACHINE DISK WORDS

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Fetch what is missing: QEMU, and the sources of the standard library
	@scripts/setup.sh

.PHONY: tool
tool: setup ## Build the command-line tool: target/release/nerite
	@$(CARGO) build --quiet --release -p nerite-hostfs

.PHONY: man
man: tool ## Make the manual pages: target/man
	@$(TOOL) man $(TARGET)/man

.PHONY: completions
completions: tool ## Make what shells complete by: target/completions
	@mkdir -p $(TARGET)/completions
	@$(TOOL) completions bash > $(TARGET)/completions/nerite
	@$(TOOL) completions zsh > $(TARGET)/completions/_nerite
	@$(TOOL) completions fish > $(TARGET)/completions/nerite.fish

.PHONY: install
install: tool man completions ## Put the tool, its pages and completions in place (PREFIX=/usr/local, DESTDIR)
	@install -D -m 755 $(TOOL) '$(ROOT)/bin/nerite'
	@install -D -m 644 -t '$(ROOT)/share/man/man1' $(TARGET)/man/*.1
	@install -D -m 644 -t '$(ROOT)/share/bash-completion/completions' $(TARGET)/completions/nerite
	@install -D -m 644 -t '$(ROOT)/share/zsh/site-functions' $(TARGET)/completions/_nerite
	@install -D -m 644 -t '$(ROOT)/share/fish/vendor_completions.d' $(TARGET)/completions/nerite.fish

.PHONY: image
image: setup ## Build the bootable image: target/x86_64-unknown-none/image/nerite-unikernel
	@$(BARE) build --quiet --profile image -p nerite-unikernel --bin nerite-unikernel

.PHONY: hermit-image
hermit-image: setup ## Build the same for the Hermit kernel, with kernel, loader, and an example
	@$(HERMIT) build --quiet --profile hermit -p nerite-unikernel --bin nerite-unikernel \
	    -p nerite-hermit --example boot_count
	@$(BARE) build --quiet --profile image -p nerite-unikernel --bin nerite-loader

.PHONY: run
run: tool image ## Boot the image on a disk that the host fills and reads (MACHINE=q35|microvm)
	@scripts/run.sh $(TOOL) $(IMAGE) "$$MACHINE" "$$DISK" "$$WORDS"

.PHONY: hermit
hermit: tool hermit-image ## Boot the image on Hermit, on a disk that the host fills and reads
	@scripts/run.sh $(TOOL) $(HERMIT_IMAGE) hermit "$$DISK" "$$WORDS"

.PHONY: test
test: tool image hermit-image crash-tool ## Run all tests, with boots under QEMU and a share of crashes
	@$(TEST)
	@$(TEST) -p nerite-unikernel --lib
	@$(TEST) -p nerite-hermit
	@$(CARGO) build --quiet --profile crash -p nerite-tests --bin soak
	@$(CRASH_ENV) $(TARGET)/crash/soak --seed 1 --runs 30 --operations 2000 --seconds 600
	@states=$$($(CRASH) $(SHARE) $(FLOORS)); deep=$$($(CRASH) $(DEEP_SHARE)); \
	    planted=$$($(CRASH_PLANTED) $(SHARE) --gate); echo "crash: $$states deep $$deep $$planted"

# 300 operations a run.
.PHONY: model
model: ## Compare stores with the model over RUNS=300 runs of each kind
	@NERITE_MODEL_SEEDS=$(RUNS) $(CARGO) test --quiet --release -p nerite-tests --test model

.PHONY: crash-tool
crash-tool:
	@$(CARGO) $(CRASH_BUILD)
	@$(WITH_PLANTS)

.PHONY: crash
crash: crash-tool ## Look for crashes that no store survives (SECONDS=60, SEED, DEPTH=2, PLANTED=bug)
	@$(CRASH) --seconds $(SECONDS) --seed $(SEED) --depth $(DEPTH)

.PHONY: soak
soak: ## Let stores live on small devices, full and cleaned, and compare them with a model (SECONDS=60, SEED)
	@$(CARGO) build --quiet --profile crash -p nerite-tests --bin soak
	@$(CRASH_ENV) $(TARGET)/crash/soak --seconds $(SECONDS) --seed $(SEED)

# Which features a crate has depends on who else is built with it: alone, `nerite` is without `std`.
.PHONY: test-features
test-features: ## Run the tests of kv/ and tests/ with the feature `std` and without
	@$(TEST) -p nerite
	@$(TEST) -p nerite --features std
	@$(TEST) -p nerite-tests --no-default-features
	@$(TEST) -p nerite-tests --no-default-features --features std

# Counts of device operations, which do not depend on the machine; the tests hold them below their gates.
.PHONY: bench-io
bench-io: ## Count what calls cost the device, and fail above the gates
	@$(CARGO) test --quiet -p nerite-tests --test durability -- _costs churn --nocapture --test-threads 1

.PHONY: fmt-check
fmt-check: ## Check the formatting
	@$(CARGO) fmt --all --check

.PHONY: clippy
clippy: setup ## Lint everything; warnings are errors
	@$(CARGO) clippy --quiet --all-targets $(CLIPPY_ARGS)
	@$(CARGO) clippy --quiet -p nerite-unikernel --lib --tests --bin nerite-unikernel $(CLIPPY_ARGS)
	@$(CARGO) clippy --quiet -p nerite-hermit --all-targets $(CLIPPY_ARGS)
	@$(BARE) clippy --quiet -p nerite-unikernel --lib --bins $(CLIPPY_ARGS)

.PHONY: doc
doc: ## Build the documentation; warnings are errors
	@RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --quiet --no-deps
	@RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --quiet --no-deps -p nerite-unikernel -p nerite-hermit --lib

.PHONY: no-std
no-std: setup ## Build the store and the driver for a target without std
	@$(BARE) build --quiet -p nerite -p nerite-virtio

.PHONY: deny
deny: ## Check licences and sources of dependencies, if cargo-deny is installed
	@if command -v cargo-deny >/dev/null; then \
	    $(CARGO) deny --log-level error check licenses bans sources; \
	else \
	    echo "deny: skipped, cargo-deny is not installed"; \
	fi

.PHONY: ci
ci: ## All of the above checks and tests, and how many tests ran
	@scripts/count-tests.sh $(MAKE) --no-print-directory fmt-check clippy doc no-std test test-features model bench-io deny

.PHONY: clean
clean: ## Remove what was built, and the disk of `make run`
	@$(CARGO) clean --quiet
	@rm -rf run
