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
	"larder/caches/results"
	"larder/digest"
	"larder/executor"
	"larder/executor/local"
)

// grace is how long a command has to end after larder was asked to end it: half
// of it after the signal itself, and half after a SIGTERM. A time-out goes to the
// SIGTERM at once.
const grace = 5 * time.Second

// localResults is the name of the results in the store, in counts and the log.
const localResults = "local"

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
}

// openWorkshop reads the settings for root and opens the store.
func openWorkshop(command *cli.Command, root string) (*workshop, error) {
	shop, err := openForRun(command, root)
	if err == nil && shop.broken != nil {
		return nil, fmt.Errorf("%w; %s", shop.broken, caches.FaultAdvice(shop.broken))
	}
	return shop, err
}

// openForRun is openWorkshop for a run, which goes on without the store when its
// disk is full, broken or closed to the user.
func openForRun(command *cli.Command, root string) (*workshop, error) {
	configured, err := loadSettings(root)
	if err != nil {
		return nil, err
	}
	folder, err := storeFolder(command.String("store"), configured)
	if err != nil {
		return nil, err
	}
	layout, broken := caches.OpenLayout(folder)
	if broken != nil && !caches.IsFault(broken) {
		return nil, broken
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
	to := journal.Open(layout)
	return &workshop{configured, layout, to, cas.Open(layout, fn), named.Open(layout, to), payload.Open(layout, to), broken, detached, kind, nil, 0}, nil
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
	inputs := executor.Inputs{
		Function: w.blobs.Function(), Trees: w.blobs, Indexes: w.indexes, IndexFile: w.indexFile,
		WriteIndex: func(file string, data []byte) error { return w.layout.WriteFile(file, data, 0o644) },
	}
	kept := results.NewCounted(localResults, results.NewChecked(results.NewFiles(w.layout), w.blobs), w.journal)
	return executor.New(inputs, runner, kept, w.blobs)
}

// runner runs actions on this machine as its caller sees it.
func (w *workshop) runner() *local.Runner {
	home, _ := os.UserHomeDir()
	program, _ := os.Executable() // without it a script looks along PATH
	return local.New(local.Config{
		Layout: w.layout, Blobs: w.blobs, Named: w.named, Journal: w.journal,
		Payloads: w.payloads, CopyPayload: w.copyInBackground, LookPayload: lookPayload,
		Path: filepath.SplitList(os.Getenv("PATH")), Home: home, Env: os.Getenv,
		ProgramIndex: w.indexFile("programs"), Indexes: w.indexes, Ahead: w.ahead, Grace: grace / 2, Program: program,
		Spares: []string{os.TempDir(), "/dev/shm"}, Broken: w.broken, Untended: !w.background, Sandbox: w.sandbox,
	})
}

// saveIndexes writes the indexes that are kept in memory. They are advice: when one
// cannot be written the next scan is slower.
func (w *workshop) saveIndexes() {
	_ = w.indexes.Save(func(file string, data []byte) error { return w.layout.WriteFile(file, data, 0o644) })
}

// indexFile names the stat index of a root.
func (w *workshop) indexFile(root string) string {
	name := digest.Of(digest.BLAKE3, []byte(root)).Hash()[:32]
	return filepath.Join(w.layout.Index(), w.blobs.Function().String()+"-"+name+w.layout.Owner())
}
