package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hinshun/vt10x"
)

// shown is what a terminal of 20 columns and 8 rows shows, without what is empty.
func shown(terminal vt10x.Terminal) string {
	var rows []string
	for row := range strings.Lines(terminal.String()) {
		rows = append(rows, strings.TrimRight(row, " \n"))
	}
	return strings.TrimRight(strings.Join(rows, "|"), "|")
}

func TestLiveLinesAreWrittenOver(t *testing.T) {
	terminal := vt10x.New(vt10x.WithSize(20, 8))
	live := NewLive(terminal)
	say := func(text string) func() { return func() { fmt.Fprint(terminal, text+"\r\n") } }
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { live.Draw("one", "two") }, "one|two"},
		{func() { live.Draw("three") }, "three"},
		{func() { live.Draw("a line that is too long for it", "x") }, "a line that is too t|x"}, // the last column is the last character
		{func() { live.Above(say("to stay")) }, "to stay"},
		{func() { live.Draw("below", "both") }, "to stay|below|both"},
		{func() { fmt.Fprint(terminal, "^C") }, "to stay|below|both|^C"},
		{func() { live.Draw("ending") }, "to stay|ending"},
		{func() { live.Above(say("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8")); live.Draw("end") }, "3|4|5|6|7|8|end"},
		{func() { live.Draw("end", "and more") }, "4|5|6|7|8|end|and more"},
		{func() { live.Forget(); live.Draw("again") }, "5|6|7|8|end|and more|again"},
		{live.Clear, "5|6|7|8|end|and more"},
		{live.Clear, "5|6|7|8|end|and more"},
	} {
		step.do()
		if got := shown(terminal); got != step.want {
			t.Fatalf("the terminal shows %q, want %q", got, step.want)
		}
	}
	if cursor := terminal.Cursor(); cursor.X != 0 || cursor.Y != 6 || terminal.Mode()&vt10x.ModeWrap == 0 || !terminal.CursorVisible() {
		t.Errorf("the cursor is at %v, the mode %v", cursor, terminal.Mode())
	}
}
