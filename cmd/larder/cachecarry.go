package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/caches/archive"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/executor/action"
	"larder/executor/local"
)

func cacheCarryCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "export", Usage: "write a cache to one file (-: standard output)", ArgsUsage: "NAME FILE", Action: cacheExport,
			Description: "The file is tar, compressed with zstd. It holds the newest generation as it was when the\n" +
				"export began; runs go on beside it. A cache with links that lead out of it is refused."},
		{Name: "import", Usage: "make the content of an exported file the newest generation of a cache (-: standard input)", ArgsUsage: "FILE", Action: cacheImport,
			Description: "Everything in the file is checked before anything changes. The generation that was there\n" +
				"stays for larder cache rollback. A cache with scope=repo comes to the repository of the\n" +
				"current directory, wherever it was before.",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "name", Usage: "give the cache another `NAME`"},
				&cli.StringFlag{Name: "scope", Usage: "another `SCOPE`: repo, global or any text"},
				&cli.StringFlag{Name: "key", Usage: "another `KEY`"},
			}},
	}
}

// untilSignal ends the context when larder is asked to end, so that what is half
// written is removed.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

func cacheExport(ctx context.Context, command *cli.Command) error {
	if err := errors.Join(needArgs(command, 2, 2), dashLast(os.Args)); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	shop, row, err := oneCache(command)
	if err != nil {
		return err
	}
	if row.Ref.Live {
		return fmt.Errorf("%s is one directory that all actions write to, with no generation that stands still; nothing was exported", row.Ref)
	}
	codec, err := compressor(ctx)
	if err != nil {
		return fmt.Errorf("export %s: %w", row.Ref.Name, err)
	}
	var totals archive.Totals
	err = writeTo(command.Args().Get(1), func(out io.Writer) error {
		totals, err = shop.export(ctx, codec, row.Ref, out)
		return err
	})
	if err != nil {
		return fmt.Errorf("export %s: %w", row.Ref.Name, err)
	}
	fmt.Fprintf(os.Stderr, "exported %s: %s, %s\n", row.Ref, counted(totals.Entries, "entry", "entries"), binarySize(totals.Bytes))
	return nil
}

// dashLast refuses what comes behind a "-": the parser drops it without a word,
// and a --scope that is dropped would be an import into another cache.
func dashLast(line []string) error {
	at := slices.Index(line, "-")
	if at < 0 || at == len(line)-1 {
		return nil
	}
	return fmt.Errorf("%s comes behind the -; write flags before it", strings.Join(line[at+1:], " "))
}

// export writes the head of a cache, which stays leased meanwhile.
func (w *workshop) export(ctx context.Context, codec archive.Codec, ref caches.Ref, to io.Writer) (archive.Totals, error) {
	run, err := layers.NewRun(w.layout)
	if err != nil {
		return archive.Totals{}, err
	}
	defer run.Close()
	checkout, err := w.named.Checkout(ctx, ref, run, named.CheckoutOptions{})
	if err != nil {
		return archive.Totals{}, err
	}
	defer checkout.Close()
	if problem := checkout.Warning(); problem != nil {
		return archive.Totals{}, fmt.Errorf("the cache is damaged: %w", problem)
	}
	what := archive.Description{Cache: ref, Generation: checkout.Generation(), Exported: time.Now().UTC().Truncate(time.Second)}
	return codec.Write(ctx, to, what, checkout.Stack(), w.layout.Temp())
}

// writeTo makes a file that is whole or not there. What is no plain file, such
// as a pipe, is written as it goes.
func writeTo(path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(os.Stdout)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(file), file.Close())
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s; make it, or name another place", filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // when it is still there
	err = errors.Join(write(file), file.Close())
	if err == nil {
		err = caches.Replace(file.Name(), path)
	}
	return err
}

func cacheImport(ctx context.Context, command *cli.Command) error {
	if err := errors.Join(needArgs(command, 1, 1), dashLast(os.Args)); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	shop, err := openHere(command)
	if err != nil {
		return err
	}
	path := command.Args().First()
	from := io.Reader(os.Stdin)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer file.Close()
		from = file
	}
	codec, err := compressor(ctx)
	if err != nil {
		return fmt.Errorf("import %s: %w", path, err)
	}
	reader, err := codec.Open(bufio.NewReaderSize(from, 128<<10))
	if err != nil {
		return fmt.Errorf("import %s: %w", path, err)
	}
	defer reader.Close()
	ref, err := importAs(reader.Description.Cache, command)
	if err != nil {
		return fmt.Errorf("import %s: %w", path, err)
	}
	made, err := shop.named.Import(ctx, ref, func(dir string) error {
		_, err := reader.Extract(ctx, dir, shop.layout.Temp())
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", path, err)
	}
	_, err = fmt.Printf("imported %s as generation %s: %s, %s%s\n", ref, made.ID, counted(made.Entries, "entry", "entries"), binarySize(made.Bytes), wayBack(ref, made))
	return err
}

func wayBack(ref caches.Ref, made named.Generation) string {
	if made.Parent == "" {
		return ""
	}
	return fmt.Sprintf("; larder cache rollback %s %s goes back", ref.Name, made.Parent)
}

// importAs decides which cache a file is for. Repositories have other paths on
// other machines, so one of a repository comes to the present one.
func importAs(ref caches.Ref, command *cli.Command) (caches.Ref, error) {
	here, err := os.Getwd()
	if err != nil {
		return ref, fmt.Errorf("find the current directory: %w", err)
	}
	if name := command.String("name"); name != "" {
		if ref.Name, err = caches.ParseName(name); err != nil {
			return ref, err
		}
	}
	scope := command.String("scope")
	if ref.Scope.Kind() == caches.ScopeRepo {
		scope = cmp.Or(scope, "repo")
	}
	if scope != "" {
		ref.Scope = action.ScopeChoice(scope).Resolve(local.RepositoryOf(here))
	}
	if command.IsSet("key") {
		ref.Key = command.String("key")
	}
	return ref, nil
}
