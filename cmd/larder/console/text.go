package console

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Clean makes text harmless on a terminal, as one line: what does not print
// (control characters, line ends, marks that turn the direction of writing) is
// written as an escape of Go, and text that has letters written from right to
// left ends with a mark that keeps what follows from joining them.
func Clean(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= utf8.RuneSelf || r == '\x7f' }) {
		return text
	}
	var clean strings.Builder
	turns := false
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&clean, `\x%02x`, text[i])
		case !unicode.IsPrint(r):
			quoted := fmt.Sprintf("%+q", r)
			clean.WriteString(quoted[1 : len(quoted)-1])
		default:
			turns = turns || isRightToLeft(r)
			clean.WriteRune(r)
		}
	}
	if turns {
		clean.WriteRune(leftToRight)
	}
	return clean.String()
}

// CleanLines is Clean for text of several lines.
func CleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = Clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// leftToRight is a mark without a width.
const leftToRight = '\u200e'

// isRightToLeft reports whether a character is in a block that is written from
// right to left; the ranges are those that the Unicode Character Database gives
// as defaults for R and AL (DerivedBidiClass.txt).
func isRightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff ||
		r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

// Width is how many columns a clean text takes. Terminals differ in some
// characters, so [Live] does not rely on it.
func Width(text string) int {
	columns := 0
	for _, r := range text {
		columns += columnsOf(r)
	}
	return columns
}

func columnsOf(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case r == leftToRight, unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// Cut shortens a clean text to a number of columns, in its middle: names of one
// plan often begin, or end, alike.
func Cut(text string, columns int) string {
	const gap = "..."
	have := Width(text)
	if have <= columns {
		return text
	}
	if columns < 2*len(gap) {
		return ends(text, max(columns, 0), have)
	}
	keep := columns - len(gap)
	front := keep / 2
	return ends(text, front, have) + gap + ends(text, front-keep, have)
}

// ends returns the first columns of a text that has so many in all, or the last
// when the number is negative; a wide character that does not fit is left out.
func ends(text string, columns, have int) string {
	if columns >= 0 {
		for i, r := range text {
			if columns -= columnsOf(r); columns < 0 {
				return text[:i]
			}
		}
		return text
	}
	drop := have + columns
	for i, r := range text {
		if drop <= 0 && columnsOf(r) > 0 {
			return text[i:]
		}
		drop -= columnsOf(r)
	}
	return ""
}

// Bar is a line of at most so many columns: a name, a bar that is full by a share
// between 0 and 1, and a text. The name gives way before the bar, and that before
// the text.
func Bar(name string, share float64, text string, columns int) string {
	const narrowest, widest = 10, 40
	room := columns - Width(text) - len(" [] ")
	if room < narrowest {
		return ends(text, max(columns, 0), Width(text))
	}
	cells := min(max(room-Width(name), narrowest), widest)
	full := 0
	if share > 0 { // and a number at all
		full = int(math.Min(share, 1) * float64(cells))
	}
	return fmt.Sprintf("%s [%s%s] %s", Cut(name, room-cells), strings.Repeat("#", full), strings.Repeat(".", cells-full), text)
}
