package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches/payload"
)

// bar shows how far a copy is: on a terminal as one line that is written over,
// elsewhere as a line now and then. It has no colours, whatever NO_COLOR says. A
// library for this was left out: it would cost every start of larder.
type bar struct {
	out   io.Writer
	name  string
	width int // columns of the terminal; 0 is no terminal
	now   func() time.Time
	began time.Time
	start int64 // bytes that were there when it began
	said  time.Time
}

// linesEvery is how often a line is written where there is no terminal.
const linesEvery = 10 * time.Second

func newBar(out *os.File, name string) *bar {
	b := &bar{out: out, name: name, now: time.Now}
	if isTerminal(out) && os.Getenv("TERM") != "dumb" {
		b.width = 80
		if size, err := unix.IoctlGetWinsize(int(out.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			b.width = int(size.Col)
		}
	}
	return b
}

// show is called with every progress that is made.
func (b *bar) show(p payload.Progress) {
	now := b.now()
	if b.began.IsZero() {
		b.began, b.start, b.said = now, p.Copied, now
	}
	if b.width > 0 {
		fmt.Fprintf(b.out, "\r\x1b[K%s", b.line(p, now.Sub(b.began)))
		return
	}
	if now.Sub(b.said) >= linesEvery {
		b.said = now
		fmt.Fprintln(b.out, b.line(p, now.Sub(b.began)))
	}
}

// clear takes the line away.
func (b *bar) clear() {
	if b.width > 0 && !b.began.IsZero() {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// line says how far it is; on a terminal it has a bar in what is left of the
// width.
func (b *bar) line(p payload.Progress, spent time.Duration) string {
	text := b.figures(p, spent)
	if b.width == 0 {
		return b.name + ": " + text
	}
	const narrowest, widest = 10, 40
	room := b.width - 1 - len(text) - len(" [] ")
	if room < narrowest {
		return text[:min(len(text), b.width-1)]
	}
	cells := min(max(room-len(b.name), narrowest), widest)
	full := cells
	if p.Total > 0 {
		full = int(float64(min(p.Copied, p.Total)) / float64(p.Total) * float64(cells))
	}
	name := b.name[max(len(b.name)-(room-cells), 0):]
	return fmt.Sprintf("%s [%s%s] %s", name, strings.Repeat("#", full), strings.Repeat(".", cells-full), text)
}

// figures are the bytes, the rate and the time left.
func (b *bar) figures(p payload.Progress, spent time.Duration) string {
	text := fmt.Sprintf("%s of %s", binarySize(p.Copied), binarySize(p.Total))
	if moved := p.Copied - b.start; spent > 0 && moved > 0 {
		rate := float64(moved) / spent.Seconds()
		left := time.Duration(float64(max(p.Total-p.Copied, 0)) / rate * float64(time.Second))
		text += fmt.Sprintf(", %s/s, %s left", binarySize(int64(rate)), left.Round(time.Second))
	}
	if p.Waiting {
		text += ", by another process"
	}
	return text
}
