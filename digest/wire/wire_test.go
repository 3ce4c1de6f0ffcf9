package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"larder/digest/wire"
)

var numbers = []int{1, 2, 15, 16, 2047, 2048, 1<<29 - 1}

var values = []uint64{0, 1, 127, 128, 16383, 16384, 1<<21 - 1, 1 << 35, 1<<63 - 1, 1 << 63, math.MaxUint64}

// TestAppendIsWhatTheLibraryWrites holds each kind of field, and what it says its
// size is, against the protobuf library.
func TestAppendIsWhatTheLibraryWrites(t *testing.T) {
	before := []byte("before")
	for _, number := range numbers {
		of := protowire.Number(number)
		for _, value := range values {
			want := protowire.AppendVarint(protowire.AppendTag(slices.Clone(before), of, protowire.VarintType), value)
			got := wire.AppendVarint(slices.Clone(before), number, value)
			if !bytes.Equal(got, want) {
				t.Errorf("field %d, number %d: %x, want %x", number, value, got, want)
			}
			if size := len(want) - len(before); number < 16 && wire.SizeVarint(value) != size {
				t.Errorf("the size of a field with %d is %d, said to be %d", value, size, wire.SizeVarint(value))
			}
		}
		for _, length := range []int{0, 1, 127, 128, 16384} {
			value := bytes.Repeat([]byte{'x'}, length)
			want := protowire.AppendBytes(protowire.AppendTag(slices.Clone(before), of, protowire.BytesType), value)
			for name, got := range map[string][]byte{
				"bytes":  wire.AppendBytes(slices.Clone(before), number, value),
				"text":   wire.AppendBytes(slices.Clone(before), number, string(value)),
				"length": append(wire.AppendLength(slices.Clone(before), number, length), value...),
			} {
				if !bytes.Equal(got, want) {
					t.Errorf("field %d, %d bytes as %s: %.20x, want %.20x", number, length, name, got, want)
				}
			}
			if size := len(want) - len(before); number < 16 && wire.SizeBytes(length) != size {
				t.Errorf("the size of a field with %d bytes is %d, said to be %d", length, size, wire.SizeBytes(length))
			}
		}
	}
}

// nested is a group in a group, depth times.
func nested(depth int) []byte {
	start := protowire.AppendTag(nil, 3, protowire.StartGroupType)
	end := protowire.AppendTag(nil, 3, protowire.EndGroupType)
	return append(bytes.Repeat(start, depth), bytes.Repeat(end, depth)...)
}

func TestMessagesThatBreakTheFormat(t *testing.T) {
	good := wire.AppendVarint(nil, 1, 300)
	for name, test := range map[string]struct {
		message string
		want    error
	}{
		"a tag that ends":             {"\x88", wire.ErrShort},
		"a tag of eleven bytes":       {"\x88\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", wire.ErrNumber},
		"field 0":                     {"\x00\x01", wire.ErrTag},
		"field 2^29":                  {"\x80\x80\x80\x80\x10\x01", wire.ErrTag},
		"wire type 6":                 {"\x0e\x01", wire.ErrKind},
		"wire type 7":                 {"\x0f\x01", wire.ErrKind},
		"no number":                   {"\x08", wire.ErrShort},
		"a number that ends":          {"\x08\xff", wire.ErrShort},
		"a number of 65 bits":         {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", wire.ErrNumber},
		"seven bytes of eight":        {"\x091234567", wire.ErrShort},
		"three bytes of four":         {"\x0d123", wire.ErrShort},
		"no length":                   {"\x0a", wire.ErrShort},
		"a byte less than its length": {"\x0a\x021", wire.ErrShort},
		"a length of 2^64-1":          {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", wire.ErrShort},
		"a length of 65 bits":         {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", wire.ErrNumber},
		"a group that ends nowhere":   {"\x1b", wire.ErrShort},
		"a group with a bad field":    {"\x1b\x08", wire.ErrShort},
		"a group that never started":  {"\x1c", wire.ErrGroup},
		"a group that another ends":   {"\x1b\x24", wire.ErrGroup},
		"101 groups in each other":    {string(nested(101)), wire.ErrGroup},
	} {
		t.Run(name, func(t *testing.T) {
			visits := 0
			err := wire.Each(append(slices.Clone(good), test.message...), func(wire.Field) error { visits++; return nil })
			if !errors.Is(err, test.want) || visits != 1 {
				t.Errorf("%v after %d fields, want %v after 1", err, visits, test.want)
			}
		})
	}
}

func TestFieldsOfAnotherKindAreRefused(t *testing.T) {
	visits := 0
	err := wire.Each(append(wire.AppendVarint(nil, 1, 5), wire.AppendBytes(nil, 2, "five")...), func(f wire.Field) error {
		visits++
		text, textErr := f.Text()
		value, valueErr := f.Varint()
		if f.Number == 1 && (textErr == nil || valueErr != nil || value != 5) || f.Number == 2 && (textErr != nil || valueErr == nil || text != "five") {
			t.Errorf("field %d: %q, %v; %d, %v", f.Number, text, textErr, value, valueErr)
		}
		return nil
	})
	if err != nil || visits != 2 {
		t.Errorf("%v after %d fields", err, visits)
	}
}

func TestTheErrorOfAVisitEnds(t *testing.T) {
	enough := errors.New("enough")
	visits := 0
	err := wire.Each([]byte("\x08\x01\x08\x02"), func(wire.Field) error { visits++; return enough })
	if err != enough || visits != 1 {
		t.Errorf("%v after %d visits", err, visits)
	}
}

// FuzzEach reads any bytes as the protobuf library does: as many fields, of the same
// kinds, with the same values, and the same messages refused. Only field numbers that
// the format does not have and groups deeper than 100 are refused here alone.
func FuzzEach(f *testing.F) {
	f.Add([]byte{})
	f.Add(nested(3))
	f.Add(nested(101))
	f.Add([]byte("\x0a\x03abc\x10\x96\x01\x1912345678\x251234\x2b\x08\x01\x2c"))
	f.Add([]byte("\x88\x00\x01"))
	f.Fuzz(func(t *testing.T, message []byte) {
		rest := message
		err := wire.Each(message, func(got wire.Field) error {
			number, kind, tag := protowire.ConsumeTag(rest)
			size := protowire.ConsumeFieldValue(number, kind, rest[max(tag, 0):])
			if tag < 0 || size < 0 {
				t.Fatalf("field %d was read where the library reads none", got.Number)
			}
			if got.Number != int(number) || !bytes.Equal(got.Whole, rest[:tag+size]) || !bytes.Equal(got.Raw(), rest[tag:tag+size]) {
				t.Fatalf("field %d (%x, %x), want %d (%x)", got.Number, got.Whole, got.Raw(), number, rest[:tag+size])
			}
			sameValue(t, got, kind)
			rest = rest[tag+size:]
			return nil
		})
		if (err == nil) != (len(rest) == 0) {
			t.Fatalf("%v with %d bytes left", err, len(rest))
		}
		if err == nil || errors.Is(err, wire.ErrTag) || errors.Is(err, wire.ErrGroup) {
			return
		}
		number, kind, tag := protowire.ConsumeTag(rest)
		if tag >= 0 && protowire.ConsumeFieldValue(number, kind, rest[tag:]) >= 0 {
			t.Fatalf("%v, and the library reads field %d", err, number)
		}
	})
}

func sameValue(t *testing.T, got wire.Field, kind protowire.Type) {
	t.Helper()
	value, err := got.Varint()
	if want, n := binary.Uvarint(got.Raw()); kind == protowire.VarintType && (err != nil || n <= 0 || value != want) || kind != protowire.VarintType && err == nil {
		t.Fatalf("a field of kind %d has the number %d, %v", kind, value, err)
	}
	data, err := got.Bytes()
	if want, _ := protowire.ConsumeBytes(got.Raw()); kind == protowire.BytesType && (err != nil || !bytes.Equal(data, want)) || kind != protowire.BytesType && err == nil {
		t.Fatalf("a field of kind %d has the bytes %x, %v", kind, data, err)
	}
}
