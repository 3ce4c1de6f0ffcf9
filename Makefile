# larder: what a developer types. "make help" lists the targets.

GO ?= go
SOURCES := $(shell find cmd executor digest caches sandbox -name '*.go' -o -name '*.s' -o -name '*.toml' 2>/dev/null)

.DEFAULT_GOAL := build
.PHONY: build test check demo bench stress docs gazelle clean help

build: bin/larder bin/larder-zstd ## build bin/larder, and bin/larder-zstd, which it starts

# Where the processor's entry is there, larder begins at it (cmd/larder/entry_linux.go).
ENTRY := $(if $(wildcard cmd/larder/entry_$(shell $(GO) env GOOS)_$(shell $(GO) env GOARCH).s),-E=main.entry)
bin/larder: LINK := $(ENTRY)

# Help is written without text/template. Where that is linked, the linker keeps every
# exported method of the program, since a template may name it (docs/dependencies.md).
TAGS := urfave_cli_no_template

# The linker writes a program page by page, and page by page the kernel keeps it. What
# is written in large pieces it keeps in large pieces (ext4, from Linux 6.16), and maps
# at once: a millisecond less for each start, until the file is read from the disk again.
bin/larder bin/larder-zstd: $(SOURCES) go.mod go.sum
	CGO_ENABLED=0 $(GO) build -trimpath -tags=$(TAGS) -ldflags='$(LINK)' -o $@.linked ./cmd/$(@F)
	cp $@.linked $@.copied && mv $@.copied $@ && rm $@.linked

test: ## install what the tests need, then run every check and every test
	@.ci/needs
	@checks=0; .ci/check || checks=1; .ci/unit && exit $$checks

check: ## formatting, vet, staticcheck, other platforms, BUILD files (no tests)
	@.ci/check

demo: build ## the main job on real code, compared with the bare tool
	bin/larder demo

bench: build ## the figures of docs/benchmarks.md
	.ci/bench

stress: build ## the tests in their long form, about an hour
	.ci/stress

docs: ## write docs/caches.md anew, from the presets
	LARDER_UPDATE=1 $(GO) test ./cmd/larder -count=1 -run TestTheCachesPageIsCurrent

gazelle: ## write the BUILD.bazel files anew
	.ci/gazelle update

clean: ## remove what the other targets made
	rm -rf bin .demo .bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
