# Everyday commands. `make` lists them.
.DEFAULT_GOAL := help
GO ?= go
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: help run build test test-race lint bench soak fuzz docs deps release notices examples

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run the demo
	$(GO) run ./cmd/gatehouse demo

build: ## build bin/gatehouse, static, without cgo
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w" -o bin/gatehouse ./cmd/gatehouse

deps: ## install what the tests need (Debian)
	scripts/deps

test: deps ## run everything; nothing may be skipped
	GATEHOUSE_REQUIRE_ALL=1 $(GO) test -count=1 ./...

test-race: ## run everything under the race detector (needs gcc)
	$(GO) test -race -count=1 ./...

examples: deps ## run examples/
	cd examples && $(GO) test -count=1 ./...

lint: ## go vet and golangci-lint
	$(GO) vet ./...
	cd bench && $(GO) vet ./...
	cd examples && $(GO) vet ./...
	$(LINT) run ./...

bench: build ## measure, and print each figure beside the machine's own (BENCH="-only store -large 100000,1000000")
	cd bench && $(GO) run . -program ../bin/gatehouse $(BENCH)

soak: build ## let strangers at every door for ten minutes, and print four figures (SOAK="-length 2m")
	cd bench && $(GO) run ./soak -program ../bin/gatehouse $(SOAK)

FUZZTIME ?= 30s
fuzz: ## run each fuzz target (FUZZTIME=3m FUZZ=Redirect)
	scripts/fuzz $(FUZZTIME) $(FUZZ)

notices: ## write THIRD_PARTY_NOTICES.md: licenses of the modules that the program links
	scripts/notices

SCREENSHOTS = $(CURDIR)/bin/screenshots
docs: ## take the pictures in docs/images again
	mkdir -p $(SCREENSHOTS)
	GATEHOUSE_SCREENSHOTS=$(SCREENSHOTS) $(GO) test -count=1 ./cmd/gatehouse \
		-run "TestTheWalkByHand|TestTheDemoInABrowser|TestTheBuiltInDirectory|TestAnAdministratorManages|TestAdministratorsInABrowser"
	for picture in docs/images/*.png; do cp $(SCREENSHOTS)/$$(basename $$picture) docs/images/ || exit 1; done

release: ## build and pack every platform into dist/, with checksums
	scripts/release
