package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of messages that break the format.
var (
	ErrShort  = errors.New("the message ends in the middle of a field")
	ErrNumber = errors.New("a number of more than 64 bits")
	ErrTag    = errors.New("no valid field number")
	ErrKind   = errors.New("a wire type that there is not")
	ErrGroup  = errors.New("a group without its start or end, or too many in each other")
)

// kind is what the format calls a wire type.
type kind uint8

const (
	varintKind     kind = 0
	fixed64Kind    kind = 1
	bytesKind      kind = 2
	groupStartKind kind = 3
	groupEndKind   kind = 4
	fixed32Kind    kind = 5
)

const (
	kindBits   = 3
	mostNumber = 1<<29 - 1
	mostGroups = 100 // in each other: what parsers in other languages take
)

// Field is one field of a message; it is a part of the message's memory.
type Field struct {
	// Number says which field it is.
	Number int
	// Whole is the field as it is in the message.
	Whole []byte
	kind  kind
	tag   uint8 // where the value begins in Whole
	body  uint8 // where what it holds begins: after the length, when it has one
}

// Each calls visit for each field of a message, in the order of the wire, and ends
// with the first error: visit's own, or that of a field that breaks the format. A
// field may come twice; of one that is no list, the last counts.
func Each(message []byte, visit func(Field) error) error {
	for len(message) > 0 {
		number, kind, start, err := tag(message)
		if err != nil {
			return err
		}
		head, length, err := value(number, kind, message[start:], 0)
		if err != nil {
			return fmt.Errorf("field %d: %w", number, err)
		}
		end := start + head + length
		if err := visit(Field{number, message[:end:end], kind, uint8(start), uint8(start + head)}); err != nil {
			return err
		}
		message = message[end:]
	}
	return nil
}

func tag(message []byte) (number int, of kind, length int, err error) {
	value, length := uvarint(message)
	if length <= 0 {
		return 0, 0, 0, uvarintError(length)
	}
	if value>>kindBits == 0 || value>>kindBits > mostNumber {
		return 0, 0, 0, ErrTag
	}
	return int(value >> kindBits), kind(value & (1<<kindBits - 1)), length, nil
}

// uvarint is that of encoding/binary, for the compiler to put where it is used.
func uvarint(message []byte) (value uint64, length int) {
	if len(message) > 0 && message[0] < 0x80 { // as nearly all are
		return uint64(message[0]), 1
	}
	return binary.Uvarint(message)
}

// uvarintError says why there is no number, by the length that uvarint gives.
func uvarintError(length int) error {
	if length == 0 {
		return ErrShort
	}
	return ErrNumber
}

// value says how much of rest the value of a field takes: the head is the length that
// bytes have before them.
func value(number int, kind kind, rest []byte, groups int) (head, length int, err error) {
	switch kind {
	case varintKind:
		if _, length = uvarint(rest); length <= 0 {
			return 0, 0, uvarintError(length)
		}
		return 0, length, nil
	case fixed64Kind:
		length = 8
	case fixed32Kind:
		length = 4
	case bytesKind:
		size, head := uvarint(rest)
		if head <= 0 {
			return 0, 0, uvarintError(head)
		}
		if size > uint64(len(rest)-head) {
			return 0, 0, ErrShort
		}
		return head, int(size), nil
	case groupStartKind:
		length, err = group(number, rest, groups+1)
		return 0, length, err
	case groupEndKind:
		return 0, 0, ErrGroup
	default:
		return 0, 0, ErrKind
	}
	if length > len(rest) {
		return 0, 0, ErrShort
	}
	return 0, length, nil
}

// group passes over a group, a form that no message of the Remote Execution API has,
// and that readers have to leave out like any field that they do not know.
func group(number int, rest []byte, groups int) (length int, err error) {
	if groups > mostGroups {
		return 0, ErrGroup
	}
	for {
		inner, kind, start, err := tag(rest[length:])
		if err != nil {
			return 0, err
		}
		length += start
		if kind == groupEndKind && inner == number {
			return length, nil
		}
		head, size, err := value(inner, kind, rest[length:], groups)
		if err != nil {
			return 0, err
		}
		length += head + size
	}
}

// Raw is the value of a field as it is in the message: Whole without the tag.
func (f Field) Raw() []byte { return f.Whole[f.tag:] }

// Bytes returns what a field of bytes holds: the bytes, or those of a text or of a
// message. It refuses a field of another kind.
func (f Field) Bytes() ([]byte, error) {
	if f.kind != bytesKind {
		return nil, f.mismatch()
	}
	return f.Whole[f.body:], nil
}

// Each is the [Each] of the message that a field holds. It refuses a field of another
// kind than bytes.
func (f Field) Each(visit func(Field) error) error {
	message, err := f.Bytes()
	if err != nil {
		return err
	}
	return Each(message, visit)
}

// Text is [Field.Bytes] as a string.
func (f Field) Text() (string, error) {
	value, err := f.Bytes()
	return string(value), err
}

// Varint returns the number that a field holds. It refuses a field of another kind.
func (f Field) Varint() (uint64, error) {
	if f.kind != varintKind {
		return 0, f.mismatch()
	}
	value, _ := uvarint(f.Raw())
	return value, nil
}

func (f Field) mismatch() error {
	return fmt.Errorf("field %d has wire type %d", f.Number, f.kind)
}
