package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hinshun/vt10x"

	"larder/caches/payload"
	"larder/cmd/larder/console"
)

// drawn shows copies of 0, 1, 2, 3 and 4 of 4 GiB, five seconds apart, and returns
// what there is to see after each and after the end.
func drawn(b *bar, columns int) (seen []string) {
	emulator := vt10x.New(vt10x.WithSize(columns, 4))
	if b.width = func() int { return columns }; b.live != nil {
		b.live = console.NewLive(emulator)
	}
	now := time.Unix(1e9, 0)
	b.out, b.now = emulator, func() time.Time { return now }
	look := func() { seen = append(seen, strings.Join(rowsOf(emulator), "|")) }
	for i := range int64(5) {
		b.show(payload.Progress{Copied: i << 30, Total: 4 << 30, Waiting: i == 3})
		now = now.Add(5 * time.Second)
		look()
	}
	b.clear()
	look()
	return seen
}

// rowsOf is what an emulated terminal shows, without empty ends.
func rowsOf(emulator vt10x.Terminal) (rows []string) {
	for row := range strings.Lines(strings.TrimRight(emulator.String(), " \n")) {
		rows = append(rows, strings.TrimRight(row, " \n"))
	}
	return rows
}

func TestBarWithoutATerminalIsALineNowAndThen(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1e9, 0)
	b := &bar{name: "sdk", out: &out, now: func() time.Time { return now }}
	for i := range int64(5) {
		b.show(payload.Progress{Copied: i << 30, Total: 4 << 30})
		now = now.Add(5 * time.Second)
	}
	b.clear()
	want := "sdk: 2.0 GiB of 4.0 GiB, 205 MiB/s, 10s left\nsdk: 4.0 GiB of 4.0 GiB, 205 MiB/s, 0s left\n"
	if got := out.String(); got != want {
		t.Errorf("it wrote %q, want %q", got, want)
	}
}

func TestBarOnATerminalIsOneLineThatIsWrittenOver(t *testing.T) {
	want := []string{
		"sdk [........................................] 0 B of 4.0 GiB",
		"sdk [########.........................] 1.0 GiB of 4.0 GiB, 205 MiB/s, 15s left",
		"sdk [################.................] 2.0 GiB of 4.0 GiB, 205 MiB/s, 10s left",
		"sdk [##########....] 3.0 GiB of 4.0 GiB, 205 MiB/s, 5s left, by another process",
		"sdk [##################################] 4.0 GiB of 4.0 GiB, 205 MiB/s, 0s left", "",
	}
	if got := drawn(&bar{name: "sdk", live: &console.Live{}}, 80); !slices.Equal(got, want) {
		t.Errorf("it shows %q, want %q", got, want)
	}
}

func TestBarFitsIntoAnyTerminal(t *testing.T) {
	for _, name := range []string{"x", strings.Repeat("/long/path", 30)} {
		for columns := 2; columns < 200; columns++ {
			for _, rows := range drawn(&bar{name: name, live: &console.Live{}}, columns) {
				if strings.Contains(rows, "|") || len(rows) >= columns {
					t.Fatalf("on a terminal of %d columns: %q", columns, rows)
				}
			}
		}
	}
}

func TestWarmShowsABarOnATerminal(t *testing.T) {
	store, sdk := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "sdk")
	if err := os.Mkdir(sdk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sdk, "file"), bytes.Repeat([]byte("x"), 3<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TERM", "xterm")
	screen := onTerminal(t, store, "cache", "warm", "--force", sdk)
	screen.sees(sdk + ": cached 3.0 MiB")
	if err := screen.command.Wait(); err != nil {
		t.Error(err)
	}
	shown := screen.shown.String()
	if !strings.Contains(shown, " of 3.0 MiB") || !strings.Contains(shown, "[") || strings.Contains(shown, "\x1b[3") {
		t.Errorf("the screen shows %q", shown)
	}
}
