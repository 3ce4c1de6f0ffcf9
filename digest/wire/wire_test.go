package wire

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

// What is written is what the library of protocol buffers writes, and it is read back.
func TestFieldsAreThoseOfTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int32Range(1, math.MaxInt32>>3).Draw(t, "number")
		value := rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64(), rapid.Just[uint64](math.MaxUint64)).Draw(t, "value")
		text := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "text")
		got := AppendVarint(AppendTag(nil, Number(number), Varint), value)
		if len(got) != len(AppendTag(nil, Number(number), Varint))+SizeVarint(value) {
			t.Fatalf("%d takes %d bytes more or less than %d", value, len(got), SizeVarint(value))
		}
		before := len(AppendTag(got, Number(number), Bytes))
		got = AppendBytes(AppendTag(got, Number(number), Bytes), text)
		if len(got)-before != SizeBytes(len(text)) {
			t.Fatalf("a text of %d bytes takes %d, not %d", len(text), len(got)-before, SizeBytes(len(text)))
		}
		want := protowire.AppendVarint(protowire.AppendTag(nil, protowire.Number(number), protowire.VarintType), value)
		want = protowire.AppendBytes(protowire.AppendTag(want, protowire.Number(number), protowire.BytesType), text)
		if !bytes.Equal(got, want) {
			t.Fatalf("written %x, the library writes %x", got, want)
		}
		first, rest, err := Next(got)
		if err != nil || first.Number != Number(number) || first.Varint() != value || first.Bytes() != nil {
			t.Fatalf("read %+v, %v", first, err)
		}
		second, rest, err := Next(rest)
		if err != nil || second.Varint() != 0 || !bytes.Equal(second.Bytes(), text) || len(rest) != 0 {
			t.Fatalf("read %+v, %v, and left %x", second, err, rest)
		}
	})
}

func TestBrokenFieldsAreRefused(t *testing.T) {
	for name, message := range map[string][]byte{
		"no value":             {0x08},
		"field 0":              {0x00, 0x01},
		"a length beyond":      {0x12, 0x03, 'a', 'b'},
		"a length of all bits": {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"a number too long":    {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
		"half of 8 bytes":      {0x09, 1, 2, 3, 4},
		"a group":              {0x0b, 0x0c},
		"a kind that is none":  {0x0f, 0x01},
	} {
		if field, _, err := Next(message); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: read %+v, %v", name, field, err)
		}
	}
}

// FuzzNext holds the reader against the library's, groups apart.
func FuzzNext(f *testing.F) {
	for _, message := range []string{"\x08\x01\x12\x02ab", "\x09\x01\x02\x03\x04\x05\x06\x07\x08\x0d\x01\x02\x03\x04", "\x0b\x0c", "\x12\x05a", "\xf8\xff\xff\xff\x7f\x00"} {
		f.Add([]byte(message))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		for len(message) > 0 {
			number, kind, n := protowire.ConsumeTag(message)
			size := n
			if n > 0 {
				size = protowire.ConsumeFieldValue(number, kind, message[n:])
			}
			field, rest, err := Next(message)
			if err != nil {
				if size >= 0 && kind != protowire.StartGroupType {
					t.Fatalf("%x is refused, and the library finds a value of %d bytes", message, size)
				}
				return
			}
			if size < 0 || int32(field.Number) != int32(number) || int8(field.Kind) != int8(kind) || !bytes.Equal(field.Value, message[n:n+size]) {
				t.Fatalf("read %+v of %x; the library: field %d, kind %d, %d bytes", field, message, number, kind, size)
			}
			message = rest
		}
	})
}
