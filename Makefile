# Everything a newcomer needs: `make demo` shows the main job, `make test` proves it.

GO      ?= go
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
TOOLS   := $(CURDIR)/.tools

.PHONY: build demo test test-pg test-long check bench bench-selfauth lint

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/anthill ./cmd/anthill

demo: build
	./bin/anthill demo

# TESTFLAGS such as TESTFLAGS=-v. More tests at a time than there are processors, as many of them wait.
test:
	$(GO) test -timeout 30m -parallel 4 $(TESTFLAGS) ./...

# The tests that go deepest into the database on another Postgres than this machine's: PG=DIRECTORY of its programs, or else
# the one that is downloaded.
PG      ?= download
DEEPEST := TestRightsSuffice|TestEachRight|TestHalfMade|TestOddTables|TestSchemaThereAndBack|TestHeldRowsAreLeft|TestExtras|TestForget
test-pg:
	ANTHILL_PG_BIN=$(PG) $(GO) test -timeout 10m $(TESTFLAGS) ./providers/postgres ./state/pg
	ANTHILL_PG_BIN=$(PG) $(GO) test -timeout 10m -parallel 4 -run '^($(DEEPEST))$$' $(TESTFLAGS) ./cmd/anthill

# The random tests and those of the same bytes again, with many more cases than the suite has time for: about an
# hour on two cores.
test-long:
	$(GO) test -timeout 3h -run 'TestRandom|TestAddressStories|TestKeptSequences|TestFaults|TestSamePlan|TestPartsInTurn|TestMailsKilled|TestRefreshCutAnywhere|TestSchemaCutAtEveryStatement|TestPostgresOnlyCut' ./cmd/anthill \
		-cases 1000 -seeds 50 -sequences 2000 -orders 50 -mails 5000 -kills 20

check: lint
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt these files:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(TOOLS)/golangci-lint run ./...

lint: $(TOOLS)/golangci-lint

$(TOOLS)/golangci-lint: Makefile
	GOBIN=$(TOOLS) $(GO) install $(LINT)
	@touch $@

# With OLD=path/to/anthill that program beside this one, all parts, in turns; FLAGS such as FLAGS='-users 1000 -rounds 3'.
bench: build
	$(GO) run ./internal/bench $(FLAGS) $(OLD) ./bin/anthill

# FLAGS such as FLAGS='-users 1000 -json figures.jsonl'; `go run ./internal/bench selfauth -h` lists them.
bench-selfauth: build
	$(GO) run ./internal/bench selfauth $(FLAGS) ./bin/anthill
