# uwsgo: `make help` lists what can be asked.
GO       ?= go
PYTHON   ?= python3
PREFIX   ?= /usr/local
FUZZTIME ?= 15s
COUNT    ?= 10

GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
TESTENV  := build/testenv
# The race detector needs a C compiler; without one the tests run without it.
RACE     := $(if $(shell command -v gcc || command -v clang),-race)
# Packages whose tests start processes and wait for them. Each is run in several
# processes of its own, with its part of the tests (.ci/shard), and never cached.
SHARDED  := ./engine/worker ./cmd/uwsgo/e2e ./cmd/uwsgo/chaos ./bench/peers ./cmd/uwsgo-bench
PACKAGES  = $(filter-out %/engine/worker %/cmd/uwsgo/e2e %/cmd/uwsgo/chaos %/bench/peers %/cmd/uwsgo-bench,$(shell $(GO) list ./...))
# Their test binaries, and the server with the race detector.
TESTS    := build/tests
# How many of unit, worker, e2e and the others run at once, and in how many processes each
# of those is. make test JOBS=1 SHARDS=1 runs one test after the other.
JOBS     ?= 2
SHARDS   ?= 2
INENV     = UWSGO_TESTENV=$(CURDIR)/$(TESTENV)

.DEFAULT_GOAL := help
.PHONY: collections help run build test tests unit worker e2e benchenv benchtest chaostest chaos pytest pythons lint fmt cross fuzz bench bench-docs bench-full microbench release-snapshot packagetest site install clean testenv

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: build ## serve docs/examples/hello/server.py on :9090
	build/uwsgo --http :9090 --wsgi-file docs/examples/hello/server.py

build: ## build the programs into build/
	$(GO) build -trimpath -buildvcs=auto -o build/ ./cmd/uwsgo ./cmd/uwsgo-bench

test: ## run every test (brings what they need, see testenv)
	+@$(MAKE) --no-print-directory --output-sync=target -j$(JOBS) worker unit e2e benchenv chaostest benchtest pytest

# Compiled once for all that follow, with one set of flags for each kind: what is
# compiled with the race detector, and what is compiled as make build does.
tests: build
	@mkdir -p $(TESTS)
	$(GO) test $(RACE) -c -o $(TESTS)/ $(filter-out %/chaos,$(SHARDED))
	$(GO) build $(RACE) -o $(TESTS)/uwsgo ./cmd/uwsgo
	$(GO) test -trimpath -c -o $(TESTS)/ ./cmd/uwsgo/chaos

unit: testenv tests ## the Go tests of the packages, with the race detector
	$(INENV) $(GO) test $(RACE) $(PACKAGES)

worker: testenv tests ## the tests of the worker pool, which run Python
	$(INENV) .ci/shard $(SHARDS) $(TESTS)/worker.test engine/worker

pytest: testenv ## the tests of the Python side of the workers
	$(TESTENV)/bin/python -m pytest -q -p no:cacheprovider engine/worker

e2e: testenv tests ## the real binary with the real nginx, Flask, Django, uwsgitop
	$(INENV) E2E_BINARY=$(CURDIR)/$(TESTS)/uwsgo .ci/shard $(SHARDS) $(TESTS)/e2e.test cmd/uwsgo/e2e

benchenv: build testenv
	build/uwsgo-bench install -env $(TESTENV)

benchtest: tests benchenv ## every server of the comparison once, every workload once
	$(INENV) UWSGO_BINARY=$(CURDIR)/build/uwsgo .ci/shard 1 $(TESTS)/peers.test bench/peers
	$(INENV) UWSGO_BINARY=$(CURDIR)/build/uwsgo .ci/shard $(SHARDS) $(TESTS)/uwsgo-bench.test cmd/uwsgo-bench

chaostest: testenv tests ## kills, reloads, leaks, hangs and overload, some seconds each
	$(INENV) CHAOS_BINARY=$(CURDIR)/build/uwsgo .ci/shard $(SHARDS) $(TESTS)/chaos.test cmd/uwsgo/chaos

chaos: testenv ## the same in full, half an hour; writes docs/reliability.md
	$(INENV) $(GO) test -count=1 -v -timeout 1h ./cmd/uwsgo/chaos -full -report $(CURDIR)/docs/reliability.md

collections: build testenv ## collections of real configurations beside reference uWSGI, some four minutes (root); writes docs/configurations.md
	$(INENV) $(GO) test -count=1 -timeout 20m ./cmd/uwsgo/collections -program $(CURDIR)/build/uwsgo -report $(CURDIR)/docs/configurations.md

pythons: testenv ## the workers under every Python that can be had, by .ci/pythons; PYTHONS="3.14 pypy3" chooses
	.ci/pythons $(PYTHONS)

lint: testenv ## golangci-lint and ruff
	$(GOLANGCI) run ./...
	$(TESTENV)/bin/ruff check .
	$(TESTENV)/bin/ruff format --check .

fmt: testenv ## format Go and Python as lint wants it
	$(GOLANGCI) fmt ./...
	$(TESTENV)/bin/ruff format .

cross: ## compile and vet for macOS, FreeBSD and arm64
	GOOS=darwin $(GO) vet ./...
	GOOS=freebsd $(GO) vet ./...
	GOOS=linux GOARCH=arm64 $(GO) vet ./...

fuzz: ## fuzz each target for FUZZTIME (15s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

# Where the servers of the comparison are installed, and the reports go.
BENCH := build/uwsgo-bench -env build/bench/env -python $(PYTHON)

bench: build ## a quick look at uwsgo beside uWSGI, some two minutes; report in build/bench/quick
	$(BENCH) -out build/bench/quick -rounds 2 -duration 500ms -warmup 200ms -peers 'uwsgo,uwsgi-*' hello flask mix idle

# Workloads and servers of docs/performance.md.
PUBLISHED := -peers 'uwsgo,uwsgi-http-keepalive,uwsgi-http-socket,granian,nginx+uwsgo,nginx+uwsgo-http,nginx+uwsgi,nginx+granian' hello flask large

# The uwsgo that the page's last table compares with: the last commit before the exchange was opened.
BEFORE := 97e5040
# The ways that it must not have made dearer, and those that it was to make cheaper.
CHANGED := hello flask close idle large stream upload

bench-docs: build build/bench/before/uwsgo ## the figures of docs/performance.md, some 15 minutes on a machine at rest; reports in build/bench
	$(BENCH) -out build/bench/docs -rounds 7 -duration 1s $(PUBLISHED)
	$(BENCH) -out build/bench/change -rounds 7 -duration 1s -peers uwsgo,granian -peer 'before=$(CURDIR)/build/bench/before/uwsgo --http {addr} --listen 1024 --master \
	  --processes {processes} --threads {threads} --virtualenv $(CURDIR)/build/bench/env --wsgi-file {app} --need-app --disable-logging --http-keepalive=300' $(CHANGED)
	cp build/bench/docs/report.md docs/performance.md
	build/uwsgo-bench report -before before build/bench/change/results.json >> docs/performance.md

build/bench/before/uwsgo:
	rm -rf build/bench/before && mkdir -p build/bench/before/source
	git archive $(BEFORE) | tar -x -C build/bench/before/source
	cd build/bench/before/source && $(GO) build -trimpath -buildvcs=false -o ../uwsgo ./cmd/uwsgo
	rm -rf build/bench/before/source

bench-full: build ## every server and workload, some three hours; report in build/bench/full
	$(BENCH) -out build/bench/full -rounds 7 -duration 2s

microbench: ## Go benchmarks of codec, engine, handlers and load generator, for benchstat
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./codec/... ./engine/... ./handler/... ./bench/load

release-snapshot: ## build everything of a release into build/dist; the same commit gives the same bytes
	$(GO) run ./cmd/uwsgo/package/release -out build/dist

packagetest: testenv ## install, serve, upgrade and remove each package in clean roots (root, debootstrap); PARTS="trixie wheels" chooses
	cmd/uwsgo/package/test/run $(PARTS)

site: ## build the documentation as a site into build/site; fails at a dead link
	PYTHON=$(PYTHON) cmd/uwsgo/package/site/build

install: build ## install uwsgo into PREFIX/bin (/usr/local/bin)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/uwsgo $(DESTDIR)$(PREFIX)/bin/uwsgo

testenv: ## make build/testenv: reference uWSGI, Flask, Django, uwsgitop; nginx and wrk by apt-get where allowed
	@PYTHON=$(PYTHON) .ci/testenv

clean: ## remove what was built
	rm -rf build
