// Package wire reads and writes the fields of protocol buffer messages, as far as
// the messages of the Remote Execution API have them: numbers, and bytes that are
// texts or messages in turn. Messages are values; nothing here is shared or kept.
//
// The format is that of https://protobuf.dev/programming-guides/encoding. The library
// of protocol buffers has the same in a package of its own, and with it comes what
// each start of a program pays for: among other things it opens and reads the
// program's file before main, which took larder a tenth of a millisecond.
package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// Number is the number of a field, from 1.
type Number int32

// Kind says how the value of a field is written.
type Kind uint8

// The kinds that larder writes. A reader steps over those of 4 and 8 bytes too.
const (
	Varint Kind = 0
	Bytes  Kind = 2

	eight Kind = 1
	four  Kind = 5
)

// ErrBroken is what a message is refused with that is no sequence of fields. Groups,
// which no message of the API has, count as that.
var ErrBroken = errors.New("broken protocol buffer encoding")

// Field is a field of a message.
type Field struct {
	Number Number
	Kind   Kind
	// Value is as it is in the message, the length of bytes included.
	Value []byte
}

// Next takes the first field off a message, which must not be empty. The field and
// the rest are parts of it.
func Next(message []byte) (field Field, rest []byte, err error) {
	tag, n := uvarint(message)
	if n <= 0 || tag < 1<<3 || tag>>3 > math.MaxInt32 {
		return Field{}, nil, ErrBroken
	}
	field.Number, field.Kind, message = Number(tag>>3), Kind(tag&7), message[n:]
	size := 0
	switch field.Kind {
	case Varint:
		_, size = uvarint(message)
	case eight:
		size = 8
	case four:
		size = 4
	case Bytes:
		length, n := uvarint(message)
		if n <= 0 || length > uint64(len(message)-n) {
			return Field{}, nil, ErrBroken
		}
		size = n + int(length)
	}
	if size <= 0 || size > len(message) {
		return Field{}, nil, ErrBroken
	}
	field.Value = message[:size]
	return field, message[size:], nil
}

// Bytes is what a field of bytes holds, a part of the message. It is nil for a field of
// another kind.
func (f Field) Bytes() []byte {
	if f.Kind != Bytes {
		return nil
	}
	_, n := uvarint(f.Value)
	return f.Value[n:]
}

// Varint is the number that a field holds. It is 0 for a field of another kind.
func (f Field) Varint() uint64 {
	if f.Kind != Varint {
		return 0
	}
	value, _ := uvarint(f.Value)
	return value
}

// uvarint is [binary.Uvarint], which most numbers are too short for.
func uvarint(message []byte) (value uint64, size int) {
	if len(message) > 0 && message[0] < 0x80 {
		return uint64(message[0]), 1
	}
	return binary.Uvarint(message)
}

// AppendTag begins a field.
func AppendTag(message []byte, number Number, kind Kind) []byte {
	return AppendVarint(message, uint64(number)<<3|uint64(kind))
}

// AppendVarint adds a number: the value of a field of kind [Varint], or the length of
// one of kind [Bytes] that follows.
func AppendVarint(message []byte, value uint64) []byte {
	if value < 0x80 {
		return append(message, byte(value))
	}
	return binary.AppendUvarint(message, value)
}

// AppendBytes adds the value of a field of kind [Bytes], its length first.
func AppendBytes[T ~string | ~[]byte](message []byte, value T) []byte {
	return append(AppendVarint(message, uint64(len(value))), value...)
}

// SizeVarint is how many bytes AppendVarint adds.
func SizeVarint(value uint64) int { return (bits.Len64(value|1) + 6) / 7 }

// SizeBytes is how many bytes AppendBytes adds for a value of length bytes.
func SizeBytes(length int) int { return SizeVarint(uint64(length)) + length }
