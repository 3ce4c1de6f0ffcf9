package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"larder/caches/payload"
)

// drawn shows copies of 0, 1, 2, 3 and 4 of 4 GiB, five seconds apart.
func drawn(b *bar) string {
	var out bytes.Buffer
	now := time.Unix(1e9, 0)
	b.out, b.now = &out, func() time.Time { return now }
	for i := range int64(5) {
		b.show(payload.Progress{Copied: i << 30, Total: 4 << 30, Waiting: i == 3})
		now = now.Add(5 * time.Second)
	}
	b.clear()
	return out.String()
}

func TestBarWithoutATerminalIsALineNowAndThen(t *testing.T) {
	want := "sdk: 2.0 GiB of 4.0 GiB, 205 MiB/s, 10s left\nsdk: 4.0 GiB of 4.0 GiB, 205 MiB/s, 0s left\n"
	if got := drawn(&bar{name: "sdk"}); got != want {
		t.Errorf("it wrote %q, want %q", got, want)
	}
}

func TestBarOnATerminalIsOneLineThatIsWrittenOver(t *testing.T) {
	lines := strings.Split(drawn(&bar{name: "sdk", width: 80}), "\r\x1b[K")
	want := []string{
		"", "sdk [........................................] 0 B of 4.0 GiB",
		"sdk [########.........................] 1.0 GiB of 4.0 GiB, 205 MiB/s, 15s left",
		"sdk [################.................] 2.0 GiB of 4.0 GiB, 205 MiB/s, 10s left",
		"sdk [##########....] 3.0 GiB of 4.0 GiB, 205 MiB/s, 5s left, by another process",
		"sdk [##################################] 4.0 GiB of 4.0 GiB, 205 MiB/s, 0s left", "",
	}
	for i, line := range lines {
		if i < len(want) && line != want[i] || len(lines) != len(want) {
			t.Errorf("line %d of %d is %q, want %q", i, len(lines), line, want[i])
		}
	}
}

func TestBarFitsIntoAnyTerminal(t *testing.T) {
	for _, name := range []string{"x", strings.Repeat("/long/path", 30)} {
		for width := 1; width < 200; width++ {
			for _, line := range strings.Split(drawn(&bar{name: name, width: width}), "\r\x1b[K") {
				if len(line) >= width && line != "" {
					t.Fatalf("a line of %d columns on a terminal of %d: %q", len(line), width, line)
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
	t.Setenv("NO_COLOR", "1")
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
