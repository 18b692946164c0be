# Everyday commands. `make` lists them, with how long each takes on two idle cores.
.DEFAULT_GOAL := help
GO ?= go
# All is compiled in one way, that of the program as it is shipped, or it would be compiled twice.
export CGO_ENABLED = 0
export GOFLAGS := $(GOFLAGS) -trimpath
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: help run build man test test-fast test-race examples lint bench soak cluster fuzz models docs deps notices
.PHONY: release packages test-packages

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run the demo; half a second after the build
	$(GO) run ./cmd/gatehouse demo

build: ## build bin/gatehouse, static, without cgo; a minute at first, then seconds
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w" -o bin/gatehouse ./cmd/gatehouse

man: build ## write the manual pages of all commands to bin/man
	bin/gatehouse man bin/man

deps: ## install what the tests need (Debian); two minutes, once
	scripts/deps

# What takes longest begins first, and of each package more tests at once than there are cores: many wait for browsers,
# clocks and outages. As many packages as cores keep these busy; one more takes a tenth more of the processor.
# `make lint` vets. The compiler may use more memory (GOGC), which takes a tenth off its time; to the linker, which
# works later, it adds some.
FIRST = ./cmd/gatehouse ./deploy ./center/ssoadmin ./sqldb ./tenant/syncjobs ./provisioning
# While what the tests need is installed, which is waiting for a network most of the time, they are compiled.
test: ## run everything, nothing may be skipped; a quarter of an hour, twice as long on a slow machine
	@echo "Installing what the tests need, and compiling them."
	@scripts/deps & deps=$$!; GOGC=400 $(GO) list -test -deps -export ./... >/dev/null; wait $$deps
	@echo "Running all tests. The first package, whose results come first, takes half of the time."
	TMPDIR=$$(scripts/tmpdir) GATEHOUSE_REQUIRE_ALL=1 $(GO) test -count=1 -vet=off -timeout 25m -parallel 4 \
		$(FIRST) ./...

test-fast: ## run what needs no browser, PostgreSQL or aws CLI; a minute, then only what has changed
	$(GO) test -short $$($(GO) list ./... | grep -v /cmd/)

RACE ?= -timeout 60m ./...
test-race: ## run everything under the race detector (needs gcc); half an hour (RACE="-short ./provisioning")
	TMPDIR=$$(scripts/tmpdir) CGO_ENABLED=1 $(GO) test -race -vet=off -count=1 $(RACE)

examples: deps ## run examples/; half a minute
	cd examples && $(GO) test -vet=off -count=1 ./...

lint: ## go vet and golangci-lint; ten minutes at first, then one
	$(GO) vet ./...
	cd bench && $(GO) vet ./...
	cd examples && $(GO) vet ./...
	cd tools/deploy && $(GO) vet ./...
	cd deploy/testcontainers && $(GO) vet ./...
	$(LINT) run ./...

bench: build ## measure beside the machine's own figures; 15 minutes (BENCH="-only store -large 100000,1000000")
	cd bench && $(GO) run . -program ../bin/gatehouse $(BENCH)

soak: build ## let strangers at every door, then kill the halves 300 times, and print the figures; half an hour (SOAK="-length 2m -kills 50")
	cd bench && $(GO) run ./soak -program ../bin/gatehouse $(SOAK)

cluster: build deps ## let everything around three nodes fail in turn, and count what does; two minutes (CLUSTER="-rounds 5")
	cd bench && $(GO) run ./cluster -program ../bin/gatehouse $(CLUSTER)

FUZZTIME ?= 30s
fuzz: ## run each fuzz target for half a minute (FUZZTIME=3m FUZZ=Redirect)
	scripts/fuzz $(FUZZTIME) $(FUZZ)

models: ## compare the newest models of AWS's services with what the doors know (needs the internet); a minute
	scripts/models

SCREENSHOTS = $(CURDIR)/bin/screenshots
docs: ## take the pictures in docs/images again; five minutes
	mkdir -p $(SCREENSHOTS)
	GATEHOUSE_SCREENSHOTS=$(SCREENSHOTS) $(GO) test -count=1 ./cmd/gatehouse \
		-run "TestTheWalkByHand|TestTheDemoInABrowser|TestTheBuiltInDirectory|TestAnAdministratorManages|TestAdministratorsInABrowser|TestAPersonConnectsAWSInABrowser|TestPeopleAskForAccessInABrowser|TestTheDashboardsQueries|TestExistingRolesAndLabelsInABrowser|TestAReviewInABrowser|TestWhoCameBackIsRelinkedInABrowser"
	for picture in docs/images/*.*; do cp $(SCREENSHOTS)/$$(basename $$picture) docs/images/ || exit 1; done

notices: ## write THIRD_PARTY_NOTICES.md, the licenses of what the program links; seconds
	scripts/notices

packages: ## pack this machine's kind as deb, rpm, image and chart into dist/; half a minute
	scripts/packages dist

test-packages: ## install what is released where nothing else is, render the chart, and sign an administrator in; two minutes
	$(GO) test -count=1 ./deploy

release: ## build and pack every platform into dist/, with packages, checksums, SBOMs and provenance; ten minutes at first
	scripts/release
