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
CARGO ?= cargo
TEST := NERITE_IMAGE=$(IMAGE) $(CARGO) test --quiet --no-fail-fast
CLIPPY_ARGS := -- -D warnings

# For `make run`: the machine (q35 or microvm), the disk, and more words for the guest.
MACHINE ?= q35
DISK ?= run/disk.img
WORDS ?=
export MACHINE DISK WORDS

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Fetch what is missing: QEMU, and a standard library for the bare target
	@scripts/setup.sh

.PHONY: tool
tool: setup ## Build the command-line tool: target/release/nerite
	@$(CARGO) build --quiet --release -p nerite-hostfs

.PHONY: image
image: setup ## Build the bootable image: target/x86_64-unknown-none/image/nerite-unikernel
	@$(BARE) build --quiet --profile image -p nerite-unikernel

.PHONY: run
run: tool image ## Boot the image on a disk that the host fills and reads (MACHINE=q35|microvm)
	@scripts/run.sh $(TOOL) $(IMAGE) "$$MACHINE" "$$DISK" "$$WORDS"

.PHONY: test
test: tool image ## Run all tests, with boots under QEMU
	@$(TEST)
	@$(TEST) -p nerite-unikernel --lib

# Which features a crate has depends on who else is built with it: alone, `nerite` is without `std`.
.PHONY: test-features
test-features: ## Run the tests of kv/ and tests/ with the feature `std` and without
	@$(TEST) -p nerite
	@$(TEST) -p nerite --features std
	@$(TEST) -p nerite-tests --no-default-features
	@$(TEST) -p nerite-tests --no-default-features --features std

.PHONY: fmt-check
fmt-check: ## Check the formatting
	@$(CARGO) fmt --all --check

.PHONY: clippy
clippy: setup ## Lint everything; warnings are errors
	@$(CARGO) clippy --quiet --all-targets $(CLIPPY_ARGS)
	@$(CARGO) clippy --quiet -p nerite-unikernel --lib --tests $(CLIPPY_ARGS)
	@$(BARE) clippy --quiet -p nerite-unikernel --lib --bins $(CLIPPY_ARGS)

.PHONY: doc
doc: ## Build the documentation; warnings are errors
	@RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --quiet --no-deps
	@RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --quiet --no-deps -p nerite-unikernel --lib

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
	@scripts/count-tests.sh $(MAKE) --no-print-directory fmt-check clippy doc no-std test test-features deny

.PHONY: clean
clean: ## Remove what was built, and the disk of `make run`
	@$(CARGO) clean --quiet
	@rm -rf run
