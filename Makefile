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
# The end-to-end tests drive a binary that go test cannot see, so they are never cached.
E2E      := ./cmd/uwsgo/e2e
# The scenarios of this one load the server for some seconds each.
CHAOS    := ./cmd/uwsgo/chaos
# These start every server and load it, so they run alone.
BENCHED  := ./bench/peers ./cmd/uwsgo-bench
PACKAGES  = $(filter-out %/cmd/uwsgo/e2e %/cmd/uwsgo/chaos %/bench/peers %/cmd/uwsgo-bench,$(shell $(GO) list ./...))

.DEFAULT_GOAL := help
.PHONY: help run build test unit e2e benchtest chaostest chaos pytest lint fmt cross fuzz bench bench-docs bench-full microbench install clean testenv

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: build ## serve docs/examples/hello/server.py on :9090
	build/uwsgo --http :9090 --wsgi-file docs/examples/hello/server.py

build: ## build the programs into build/
	$(GO) build -trimpath -buildvcs=auto -o build/ ./cmd/uwsgo ./cmd/uwsgo-bench

test: unit pytest e2e chaostest benchtest ## run every test (brings what they need, see testenv)

unit: testenv ## the Go tests of the packages, with the race detector
	UWSGO_TESTENV=$(CURDIR)/$(TESTENV) $(GO) test $(RACE) $(PACKAGES)

pytest: testenv ## the tests of the Python side of the workers
	$(TESTENV)/bin/python -m pytest -q -p no:cacheprovider engine/worker

e2e: testenv ## the real binary with the real nginx, Flask, Django, uwsgitop
	UWSGO_TESTENV=$(CURDIR)/$(TESTENV) $(GO) test $(RACE) -count=1 $(E2E)

benchtest: build testenv ## every server of the comparison once, every workload once
	build/uwsgo-bench install -env $(TESTENV)
	UWSGO_TESTENV=$(CURDIR)/$(TESTENV) $(GO) test $(RACE) -count=1 -p 1 $(BENCHED)

chaostest: testenv ## kills, reloads, leaks, hangs and overload, some seconds each
	UWSGO_TESTENV=$(CURDIR)/$(TESTENV) $(GO) test -count=1 $(CHAOS)

chaos: testenv ## the same in full, half an hour; writes docs/reliability.md
	UWSGO_TESTENV=$(CURDIR)/$(TESTENV) $(GO) test -count=1 -v -timeout 1h $(CHAOS) -full -report $(CURDIR)/docs/reliability.md

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

bench-docs: build ## the figures of docs/performance.md, some twelve minutes on a machine at rest; report in build/bench/docs
	$(BENCH) -out build/bench/docs -rounds 7 -duration 2s $(PUBLISHED)
	cp build/bench/docs/report.md docs/performance.md

bench-full: build ## every server and workload, some three hours; report in build/bench/full
	$(BENCH) -out build/bench/full -rounds 7 -duration 2s

microbench: ## Go benchmarks of codec, engine, handlers and load generator, for benchstat
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./codec/... ./engine/... ./handler/... ./bench/load

install: build ## install uwsgo into PREFIX/bin (/usr/local/bin)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/uwsgo $(DESTDIR)$(PREFIX)/bin/uwsgo

testenv: ## make build/testenv: reference uWSGI, Flask, Django, uwsgitop; nginx and wrk by apt-get where allowed
	@PYTHON=$(PYTHON) .ci/testenv

clean: ## remove what was built
	rm -rf build
