package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// quoteAll joins texts so that two lists never have the same one: as a shell
// would read them, and in quotes what is not to be printed.
func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return strings.Join(quoted, " ")
}

func quote(text string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-+=./:,@%", r)
	}
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	switch {
	case text == "":
		return "''"
	case strings.ContainsFunc(text, odd):
		return "$" + strconv.Quote(text)
	case !slices.ContainsFunc([]rune(text), func(r rune) bool { return !plain(r) }):
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// show makes a text printable on one line, and short.
func show(text string) string {
	const most = 200
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		text = strconv.Quote(text)
	}
	if runes := []rune(text); len(runes) > most {
		return fmt.Sprintf("%s... (%d characters)", string(runes[:most]), len(runes))
	}
	return text
}
