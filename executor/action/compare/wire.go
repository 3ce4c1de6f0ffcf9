package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"

	"larder/digest"
	"larder/executor/action"
)

// eachField calls visit for each field of a message, in the order of the wire,
// with its value as it is there, and with what a field of bytes holds.
func eachField(message []byte, visit func(number protowire.Number, raw, value []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return protowire.ParseError(n)
		}
		raw, value := message[:n], []byte(nil)
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(raw)
		}
		if err := visit(number, raw, value); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

func decodePair(message []byte) (pair action.Property, err error) {
	err = eachField(message, func(number protowire.Number, _, value []byte) error {
		switch number {
		case firstField:
			pair.Name = string(value)
		case secondField:
			pair.Value = string(value)
		}
		return nil
	})
	return pair, err
}

// decodePlatform adds the properties of a platform, of which there is one even
// when it is empty.
func decodePlatform(found []action.Property, message []byte) ([]action.Property, error) {
	if found == nil {
		found = []action.Property{}
	}
	err := eachField(message, func(number protowire.Number, _, value []byte) error {
		if number != firstField {
			return nil
		}
		pair, err := decodePair(value)
		found = append(found, pair)
		return err
	})
	return found, err
}

func decodeDigest(fn digest.Function, message []byte) (digest.Digest, error) {
	var hash string
	var size int64
	err := eachField(message, func(number protowire.Number, raw, value []byte) error {
		switch number {
		case firstField:
			hash = string(value)
		case secondField:
			size = number64(raw)
		}
		return nil
	})
	if err != nil {
		return digest.Digest{}, err
	}
	return digest.New(fn, hash, size)
}

// decodeDuration reads a duration; one that is longer than 292 years is that.
func decodeDuration(message []byte) (time.Duration, error) {
	var seconds, nanos int64
	err := eachField(message, func(number protowire.Number, raw, _ []byte) error {
		switch number {
		case firstField:
			seconds = number64(raw)
		case secondField:
			nanos = number64(raw)
		}
		return nil
	})
	if most := int64(math.MaxInt64 / time.Second); seconds >= most || seconds <= -most || nanos >= 1e9 || nanos <= -1e9 {
		return math.MaxInt64, err
	}
	return time.Duration(seconds)*time.Second + time.Duration(nanos), err
}

// number64 reads a varint; of what is none it is zero.
func number64(raw []byte) int64 {
	value, n := protowire.ConsumeVarint(raw)
	if n < 0 {
		return 0
	}
	return int64(value)
}

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
