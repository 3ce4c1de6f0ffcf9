package console

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCleanMakesTextHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                 "plain",
		"\x1b[2Jgone":           `\x1b[2Jgone`,
		"a\nb\tc\rd\x00\x7f":    `a\nb\tc\rd\x00\x7f`,
		"tür 中文 é":              "tür 中文 é",
		"bad\xff\xc3":           `bad\xff\xc3`,
		"\u202egpj.exe":         `\u202egpj.exe`,
		"zero\u200dwidth\ufeff": `zero\u200dwidth\ufeff`,
		"אבג":                   "אבג\u200e",
		"a\u009bb \U000e0041":   `a\u009bb \U000e0041`,
		"\ufffd is a character": "\ufffd is a character",
	} {
		if got := Clean(text); got != want {
			t.Errorf("Clean(%q) = %q, want %q", text, got, want)
		}
	}
	if got := CleanLines("one\x1b\n  two"); got != `one\x1b`+"\n  two" {
		t.Errorf("lines: %q", got)
	}
}

func TestWidthIsOfColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "中文": 4, "é": 1, "e\u0301": 1, "😀": 2, "אב\u200e": 2, "ｆ": 2} {
		if got := Width(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

func TestCutKeepsBothEnds(t *testing.T) {
	for _, one := range []struct {
		text    string
		columns int
		want    string
	}{
		{"short", 5, "short"}, {"compile:package/file", 11, "comp...file"}, {"compile:package/file", 10, "com...file"},
		{"中文中文中文", 9, "中...文"}, {"中文中文中文", 3, "中"}, {"abcdef", 0, ""}, {"abcdef", -1, ""}, {"abcdef", 4, "abcd"},
	} {
		if got := Cut(one.text, one.columns); got != one.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", one.text, one.columns, got, one.want)
		}
	}
}

// TestAnyTextFits: whatever it is, and however narrow the terminal.
func TestAnyTextFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, columns := Clean(rapid.String().Draw(t, "text")), rapid.IntRange(0, 60).Draw(t, "columns")
		cut := Cut(text, columns)
		if Width(cut) > columns || !utf8.ValidString(cut) {
			t.Errorf("%q in %d columns is %q", text, columns, cut)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != leftToRight }) {
			t.Errorf("not clean: %q", text)
		}
		share := rapid.Float64().Draw(t, "share")
		if bar := Bar(text, share, "1 of 2", columns); Width(bar) > columns {
			t.Errorf("in %d columns: %q", columns, bar)
		}
	})
}
