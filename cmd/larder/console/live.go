// Package console writes to the terminal of a person: text that is harmless and
// fits ([Clean], [Cut], [Bar]), and a few lines that are written over below
// whatever else is printed ([Live]).
//
// It keeps to what all terminals do: it moves up, erases to the end of a line
// and of the screen, and turns wrapping off for a moment. It neither hides the
// cursor nor changes settings, so a program that is killed leaves a terminal that
// works, with its last lines on it.
package console

import (
	"io"
	"strconv"
	"strings"
	"sync"
)

// Live keeps lines at the end of what is on a terminal. The cursor stays below
// them at the beginning of a line, where the echo of a key does no harm. It is
// safe for use by many goroutines. Errors of the terminal are not told: nobody
// sees it then.
type Live struct {
	out   io.Writer
	mu    sync.Mutex
	lines int // that are there
}

// NewLive begins without lines on a terminal.
func NewLive(out io.Writer) *Live { return &Live{out: out} }

// Draw puts lines in the place of those that were drawn before. They have to be
// clean, but for colours, and fewer than the terminal has rows; what does not
// fit into a row is cut off by the terminal.
func (l *Live) Draw(lines ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	text.WriteString(l.up() + "\x1b[m\x1b[?7l") // whoever printed above may have left a colour
	for _, line := range lines {
		text.WriteString("\x1b[K" + line + "\r\n")
	}
	text.WriteString("\x1b[?7h\x1b[J")
	l.lines = len(lines)
	_, _ = io.WriteString(l.out, text.String())
}

// up goes to the first of the lines.
func (l *Live) up() string {
	if l.lines == 0 {
		return "\r"
	}
	return "\r\x1b[" + strconv.Itoa(l.lines) + "A"
}

// Above takes the lines away and has write print what is to stay; it must end
// with a line end. The lines are back with the next Draw.
func (l *Live) Above(write func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines > 0 {
		_, _ = io.WriteString(l.out, l.up()+"\x1b[J")
	}
	l.lines = 0
	write()
}

// Clear takes the lines away.
func (l *Live) Clear() { l.Above(func() {}) }

// Forget leaves the lines where they are, as when somebody else has written
// below them.
func (l *Live) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = 0
}
