# Everything that one does with Visavis. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

# Programs beside the toolchains that the tests start: a name or file to look for, and Debian's package that holds it.
TEST_PROGRAMS := chromium:chromium firefox-esr:firefox-esr turnserver:coturn nft:nftables ip:iproute2 sysctl:procps openssl:openssl tshark:tshark \
	redis-server:redis-server faketime:faketime nginx:nginx-light /usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream curl:curl pg_ctlcluster:postgresql setpriv:util-linux

RELEASE := target/release/visavis
CHECKED := target/checked/visavis
PACKAGES := web/node_modules/.package-lock.json
SITE := web/app/build/index.html
SITE_SOURCES := $(shell find web/sdk/src web/app/src web/app/static web/app/scripts -type f 2>/dev/null) \
	$(wildcard web/app/messages/*/*.json) \
	$(wildcard web/sdk/*.json web/app/*.json web/app/*.js web/app/*.ts web/*.json)
LAN_TLS := .visavis/tls

define section
@printf '\n== %s\n' '$(1)'
endef

##@ To use it

.PHONY: run
run: build ## Build, and serve http://localhost:8080
	exec $(RELEASE) --allow-local-peers

.PHONY: run-lan
run-lan: build ## The same over TLS for the local network, to try it with a phone
	@[[ -n $$(find $(LAN_TLS)/cert.pem -mtime -90 2>/dev/null) ]] || $(RELEASE) self-signed --out $(LAN_TLS)
	@echo 'Open the https:// address below on the phone, and accept its warning: the certificate is your own.'
	exec $(RELEASE) --allow-local-peers --tls-listen 0.0.0.0:8443 --tls-cert $(LAN_TLS)/cert.pem --tls-key $(LAN_TLS)/key.pem

.PHONY: build
build: prerequisites $(SITE) ## Build target/release/visavis with the site in it
	cargo build --release -p visavis-server

##@ To work on it

.PHONY: dev
dev: prerequisites $(PACKAGES) ## Serve the site with live reload, and the server behind it
	cargo build --profile checked -p visavis-server
	$(CHECKED) & trap "kill $$!" EXIT; cd web && npm run dev -w @visavis/app

.PHONY: test
test: prerequisites test-programs ## Everything that must hold: lint, unit tests, real sockets, real browsers
	$(call section,Site and lint)
	@$(MAKE) -j2 --output-sync=recurse lint-rust lint-web
	$(call section,Rust: compile)
	cargo test --workspace --profile checked --no-run
	$(call section,Rust: test)
	cargo test --workspace --profile checked
	cargo test -p visavis-fuzz --features audit --profile checked
	$(call section,Simulator)
	@$(MAKE) sim
	$(call section,Web: unit tests)
	cd web && npm test
	$(call section,Web: browsers)
	cd web && VISAVIS_BIN=$(CURDIR)/$(CHECKED) npm test -w @visavis/e2e
	$(call section,All tests passed)

.PHONY: natlab
natlab: prerequisites test-programs $(SITE) ## Who connects how behind which firewall: all pairs, into docs/nat.md (as root)
	cargo build --profile checked -p visavis-server
	cd web && VISAVIS_BIN=$(CURDIR)/$(CHECKED) npm run natlab -w @visavis/e2e

# Everything found goes to fuzz/target; what is worth keeping is taken over by hand (CONTRIBUTING.md).
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst fuzz/fuzz_targets/%.rs,%,$(wildcard fuzz/fuzz_targets/*.rs))
.PHONY: fuzz
fuzz: prerequisites ## Look for bytes that break what must hold, FUZZ_SECONDS (60) for each target
	@rustup toolchain list 2>/dev/null | grep -q nightly || { echo 'Missing: a nightly toolchain. rustup toolchain install nightly' >&2; exit 1; }
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	cargo +nightly fuzz build -s none
	@for target in $(FUZZ_TARGETS); do \
		printf '\n== Fuzz: %s, for %s s\n' "$$target" $(FUZZ_SECONDS); \
		mkdir -p fuzz/target/found/$$target; \
		[[ -f fuzz/$$target.dict ]] && dictionary=-dict=fuzz/$$target.dict || dictionary=; \
		RUST_BACKTRACE=0 cargo +nightly fuzz run -s none $$target fuzz/target/found/$$target fuzz/corpus/$$target \
			-- $$dictionary -max_len=2048 -timeout=20 -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1; \
	done

# Compiled alone: the server must not be built with the features that it needs.
SIMULATOR := cargo run --quiet --profile checked -p visavis-sim --features simulator --bin visavis-sim --

.PHONY: sim
sim: prerequisites ## A swarm of visitors with faults over the lobby, one server and several: 5,500 seeds, and every planted fault caught
	$(SIMULATOR) run --seeds 3000 --nodes-seeds 2500 --prove $(SIM_OPTIONS)

.PHONY: sim-long
sim-long: prerequisites ## The same with ever new seeds, until stopped or a promise is broken
	$(SIMULATOR) run --first 1000000 --forever

.PHONY: lint
lint: prerequisites lint-rust lint-web ## Formatting, clippy, eslint, types

# The same profile as the tests: build scripts and macros are compiled once for both.
.PHONY: lint-rust
lint-rust:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --profile checked -- -D warnings
	cargo clippy -p visavis-sim --features simulator --profile checked -- -D warnings
	cargo test -q -p visavis-lobby --profile checked --test rooms

.PHONY: lint-web
lint-web: $(PACKAGES) $(SITE)
	cd web && npm run lint && npm run check

.PHONY: fmt
fmt: $(PACKAGES) ## Format everything
	cargo fmt --all
	cd web && npm run fmt

.PHONY: bindings
bindings: ## Write what is generated: TypeScript types, JSON Schema, the table of settings
	VISAVIS_WRITE_BINDINGS=1 cargo test --profile checked -p visavis-protocol bindings
	VISAVIS_WRITE_BINDINGS=1 cargo test --profile checked -p visavis-server --lib the_document

# Where visitors are, from the registries' data (credit nro.net); only `make geo` needs it, not the build.
GEO_SOURCE := @ip-location-db/geo-whois-asn-country-mmdb

.PHONY: geo
geo: ## Make the built-in table of addresses and parts of the world anew
	folder=$$(mktemp -d) && trap "rm -rf $$folder" EXIT && cd "$$folder" && \
		npm pack --silent $(GEO_SOURCE) && tar -xzf *.tgz && \
		cd "$(CURDIR)" && VISAVIS_GEO_SOURCE="$$folder/package" cargo test --profile checked -p visavis-server --lib the_table_is_written

.PHONY: bench
bench: build test-programs ## Measure, against the peers and against the floor
	cargo build --release --workspace
	bench/run

.PHONY: chaos
chaos: build test-programs ## Break nodes, Redis and the lines between them under load, for about 6 minutes
	cargo build --release -p visavis-sim
	bench/chaos/run.mjs

.PHONY: lighthouse
lighthouse: build ## What Lighthouse says of the landing and the chat page
	bench/lighthouse/run

.PHONY: clean
clean: ## Remove what was built
	rm -rf target fuzz/target web/node_modules web/app/build web/app/.svelte-kit web/app/messages/compiled web/sdk/dist

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# What the rest stands on.

.PHONY: prerequisites
prerequisites:
	@missing() { echo "Missing: $$1. $$2" >&2; exit 1; }; \
	command -v cargo >/dev/null || missing cargo 'Install Rust 1.90 or newer: https://rustup.rs'; \
	command -v "$${CC:-cc}" >/dev/null || missing 'a C compiler' 'Install one (Debian: apt-get install gcc libc6-dev).'; \
	command -v node >/dev/null || missing node 'Install Node 20.19 or newer: https://nodejs.org'; \
	command -v npm >/dev/null || missing npm 'It comes with Node: https://nodejs.org'; \
	node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
		|| missing 'a newer Node' "Version 20.19 is needed, this is $$(node --version)."

.PHONY: test-programs
test-programs:
	@wanted=(); for pair in $(TEST_PROGRAMS); do \
		command -v "$${pair%%:*}" >/dev/null || [[ -e $${pair%%:*} ]] || wanted+=("$${pair##*:}"); \
	done; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv); \
	if (( $${#wanted[@]} == 0 )); then exit 0; fi; \
	if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null; then \
		echo "Installing for the tests: $${wanted[*]}"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$${wanted[@]}"; \
	else \
		echo "The tests need more programs; run: sudo apt-get install -y $${wanted[*]}" >&2; exit 1; \
	fi

$(PACKAGES): web/package-lock.json
	cd web && npm ci --no-progress
	@touch $@

$(SITE): $(PACKAGES) $(SITE_SOURCES)
	cd web && npm run build
	@touch $@
