package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/journal"
	"larder/caches/named"
	"larder/caches/payload"
	"larder/digest"
	"larder/executor"
	"larder/executor/local"
)

// grace is how long a command has to end after larder was asked to end it: half
// of it after the signal itself, and half after a SIGTERM. A time-out goes to the
// SIGTERM at once.
const grace = 5 * time.Second

// workshop is an opened store with what works on it.
type workshop struct {
	settings settings
	layout   caches.Layout
	journal  *journal.Journal
	blobs    *cas.Store
	named    *named.Store
	payloads *payload.Store
	broken   error // why the store cannot be used; nil when it can
	// background allows to leave work to a detached process.
	background bool
	sandbox    local.Kind
	// indexes are set for a process that runs many actions.
	indexes *digest.Indexes
	// ahead is how many sandboxes such a process keeps ready.
	ahead int
	// pathFresh is how long it takes programs to be where they were found.
	pathFresh time.Duration
	// final says that the process ends after one action.
	final bool
}

// openWorkshop reads the settings for root and opens the store.
func openWorkshop(command *cli.Command, root string) (*workshop, error) {
	return whole(openForRun(command, root))
}

// whole refuses a store that is broken.
func whole(shop *workshop, err error) (*workshop, error) {
	if err == nil && shop.broken != nil {
		return nil, fmt.Errorf("%w; %s", shop.broken, caches.FaultAdvice(shop.broken))
	}
	return shop, err
}

// advised adds what a person can do to a fault of the store, as when its disk is
// read-only. err is of work on nothing but the store.
func advised(err error) error {
	if !caches.IsFault(err) {
		return err
	}
	return fmt.Errorf("%w; %s", err, caches.FaultAdvice(err))
}

// openForRun is openWorkshop for a run, which goes on without the store when its
// disk is full, broken or closed to the user.
func openForRun(command *cli.Command, root string) (*workshop, error) {
	configured, err := loadSettings(root)
	if err != nil {
		return nil, err
	}
	return openConfigured(command, configured)
}

// openConfigured opens the store that the settings say, with all else that they say.
func openConfigured(command *cli.Command, configured settings) (*workshop, error) {
	folder, err := storeFolder(command.String("store"), configured)
	if err != nil {
		return nil, err
	}
	fn, err := digestFunction(configured)
	if err != nil {
		return nil, err
	}
	detached, err := background(configured)
	if err != nil {
		return nil, err
	}
	kind, err := sandboxKind("", configured)
	if err != nil {
		return nil, err
	}
	store, broken := local.OpenStore(folder, fn)
	if store == nil {
		return nil, broken
	}
	shop := &workshop{configured, store.Layout, store.Journal, store.Blobs, store.Named, store.Payloads, broken, detached, kind, nil, 0, 0, false}
	if _, err := shop.maxSize(""); err != nil { // or the process in the background would be the first to see it
		return nil, err
	}
	return shop, nil
}

func digestFunction(configured settings) (digest.Function, error) {
	text := os.Getenv("LARDER_DIGEST_FUNCTION")
	if text == "" {
		text = configured.Digest
	}
	if text == "" {
		return digest.BLAKE3, nil
	}
	fn, err := digest.ParseFunction(text)
	if err != nil {
		return 0, fmt.Errorf("digest function: %w", err)
	}
	return fn, nil
}

// executor wires the pipeline around a runner.
func (w *workshop) executor(runner executor.Runner) *executor.Executor {
	store := w.store()
	return executor.New(store.Inputs(), runner, store.Results(), store.Blobs)
}

// store is what a program without a user would have of it.
func (w *workshop) store() *local.Store {
	return &local.Store{Layout: w.layout, Journal: w.journal, Blobs: w.blobs, Named: w.named, Payloads: w.payloads, Indexes: w.indexes}
}

// runner runs actions on this machine as its caller sees it.
func (w *workshop) runner() *local.Runner {
	home, _ := os.UserHomeDir()
	program, _ := os.Executable() // without it a script looks along PATH
	config := w.store().Config()
	config.CopyPayload, config.LookPayload = w.copyInBackground, lookPayload
	config.Path, config.Home, config.Env = filepath.SplitList(os.Getenv("PATH")), home, os.Getenv
	config.Ahead, config.PathFresh = w.ahead, w.pathFresh
	config.Grace, config.Program, config.Final = grace/2, program, w.final
	config.Spares, config.Broken = []string{os.TempDir(), "/dev/shm"}, w.broken
	config.Untended, config.Sandbox = !w.background, w.sandbox
	return local.New(config)
}

// saveIndexes writes the indexes that are kept in memory. They are advice: when one
// cannot be written the next scan is slower.
func (w *workshop) saveIndexes() { _ = w.store().SaveIndexes() }
