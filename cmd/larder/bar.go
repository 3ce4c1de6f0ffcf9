package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"larder/caches/payload"
	"larder/cmd/larder/console"
)

// bar shows how far a copy is: on a terminal as one line that is written over,
// elsewhere as a line now and then. It has no colours, whatever NO_COLOR says.
type bar struct {
	out   io.Writer
	live  *console.Live // nil without a terminal
	width func() int    // columns of the terminal
	name  string
	now   func() time.Time
	began time.Time
	start int64 // bytes that were there when it began
	said  time.Time
}

// linesEvery is how often a line is written where there is no terminal.
const linesEvery = 10 * time.Second

func newBar(out *os.File, name string) *bar {
	b := &bar{out: out, name: console.Clean(name), now: time.Now}
	if isScreen(out) {
		b.live = console.NewLive(out)
		b.width = func() int { columns, _ := terminalSize(out); return columns }
	}
	return b
}

// show is called with every progress that is made.
func (b *bar) show(p payload.Progress) {
	now := b.now()
	if b.began.IsZero() {
		b.began, b.start, b.said = now, p.Copied, now
	}
	text := b.figures(p, now.Sub(b.began))
	if b.live != nil {
		b.live.Draw(console.Bar(b.name, float64(p.Copied)/float64(p.Total), text, b.width()-1))
		return
	}
	if now.Sub(b.said) >= linesEvery {
		b.said = now
		fmt.Fprintf(b.out, "%s: %s\n", b.name, text)
	}
}

// clear takes the line away.
func (b *bar) clear() {
	if b.live != nil {
		b.live.Clear()
	}
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
