package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"larder/cmd/larder/console"
	"larder/digest"
	"larder/executor/plan"
	"larder/executor/plan/progress"
)

// display is what people see of a build under way. On a terminal that is how far
// it is, in lines at the bottom that are written over; what is to be read later
// is printed above them. Elsewhere all is printed as it comes.
type display struct {
	out      *os.File
	live     *console.Live // nil without a terminal
	colours  bool
	progress *progress.Build
	name     func(i int) string
	ended    func() syscall.Signal // by which the build was asked to end

	unended []*os.File // where an action's last line has no end
	lost    error      // the first time that words could not be printed

	mu   sync.Mutex // of what is printed without a terminal
	stop chan struct{}
	work sync.WaitGroup
}

// redraws is the time between two of them.
const redraws = 100 * time.Millisecond

func newDisplay(out *os.File, p *progress.Build) *display {
	d := &display{out: out, progress: p, stop: make(chan struct{})}
	if isScreen(out) {
		d.live, d.colours = console.NewLive(out), os.Getenv("NO_COLOR") == ""
	}
	return d
}

// begin draws until end is called. A build that is over before the first redraw
// draws nothing.
func (d *display) begin() {
	if d.live == nil {
		return
	}
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, syscall.SIGWINCH, syscall.SIGCONT)
	tick := time.NewTicker(redraws)
	d.work.Go(func() {
		defer tick.Stop()
		defer signal.Stop(changes)
		for {
			select {
			case <-d.stop:
				return
			case one := <-changes:
				if one == syscall.SIGCONT {
					d.live.Forget() // the shell has printed something
				}
			case <-tick.C:
			}
			columns, rows := terminalSize(d.out)
			d.live.Draw(d.lines(d.progress.View(time.Now()), columns-1, rows-1)...)
		}
	})
}

// end takes the lines away. What is printed later is simply printed.
func (d *display) end() {
	close(d.stop)
	d.work.Wait()
	if d.live != nil {
		d.live.Clear()
	}
}

// print has write print something that is to stay, whole.
func (d *display) print(write func()) {
	if d.live != nil {
		d.live.Above(write)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	write()
}

// say prints a line of larder's own.
func (d *display) say(colour, format string, args ...any) {
	text := console.CleanLines(fmt.Sprintf(format, args...))
	if d.colours && colour != "" {
		text = colour + text + "\x1b[m"
	}
	d.endLine(d.out)
	fmt.Fprintln(d.out, text)
}

// The colours of lines.
const (
	plainly = ""
	red     = "\x1b[31m"
	yellow  = "\x1b[33m"
)

// lines are a moment of the build, to be drawn in so many columns and rows.
func (d *display) lines(view progress.View, columns, rows int) []string {
	var facts []string
	facts = append(facts, fmt.Sprintf("%d of %d", view.Done, view.Total))
	if s := d.ended(); s != 0 {
		facts = append(facts, fmt.Sprintf("%s: waiting for %d to end", s, len(view.Running)))
	}
	for _, state := range []plan.State{plan.Failed, plan.Broken, plan.Skipped, plan.Ran, plan.Reused, plan.Merged} {
		if n := view.Counts[state]; n > 0 {
			facts = append(facts, fmt.Sprintf("%d %s", n, state))
		}
	}
	facts = append(facts, passing(view.Spent))
	if view.Left > 0 && d.ended() == 0 {
		facts = append(facts, fmt.Sprintf("about %v left", max(view.Left.Round(time.Second), time.Second)))
	}
	lines := []string{console.Bar("larder", float64(view.Done)/float64(max(view.Total, 1)), strings.Join(facts, ", "), columns)}
	const most = 10
	room := max(min(most, rows-len(lines)), 1)
	for i, one := range view.Running {
		if i == room-1 && len(view.Running) > room {
			lines = append(lines, console.Cut(fmt.Sprintf("          and %d more", len(view.Running)-i), columns))
			break
		}
		lines = append(lines, console.Cut(fmt.Sprintf("%8s  %s", passing(one.For), console.Cut(console.Clean(d.name(one.Node)), max(columns-10, 8))), columns))
	}
	return lines
}

// passing is a time for people who watch it pass.
func passing(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// lineEnd passes text on, and knows whether it ended with a line end.
type lineEnd struct {
	to   io.Writer
	last byte
}

// Write passes data on.
func (l *lineEnd) Write(data []byte) (int, error) {
	if len(data) > 0 {
		l.last = data[len(data)-1]
	}
	return l.to.Write(data)
}

// pour prints an action's words on one of the streams. A line that they leave
// unended is ended at once on a terminal with lines that are written over, and else
// when something follows: the last words of a build come as they are.
// What cannot be written is lost; nobody misses what goes to a reader who has left.
func (d *display) pour(name string, said *backlog, to *os.File) {
	if said.isEmpty() {
		return
	}
	d.endLine(to)
	passed := &lineEnd{to: to}
	if err := said.empty(passed); err != nil && d.lost == nil && !errors.Is(err, syscall.EPIPE) {
		d.lost = fmt.Errorf("what action %s says is not all printed: %w", digest.Quote(name), err)
	}
	if passed.last == '\n' {
		return
	}
	d.unended = append(d.unended, to)
	if d.live != nil && isTerminal(to) {
		d.endLine(to)
	}
}

// endLine ends the line that an action has left unended on a stream, which may
// lead to the same place by another name.
func (d *display) endLine(to *os.File) {
	for i, one := range d.unended {
		if one == to || isSameFile(one, to) {
			fmt.Fprintln(to)
			d.unended = slices.Delete(d.unended, i, i+1)
			return
		}
	}
}

func isSameFile(one, other *os.File) bool {
	a, err := one.Stat()
	if err != nil {
		return false
	}
	b, err := other.Stat()
	return err == nil && os.SameFile(a, b)
}
