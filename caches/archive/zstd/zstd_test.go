package zstd_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	compress "github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"larder/caches/archive/zstd"
)

// run is one run of the program.
func run(in io.Reader, args ...string) (out []byte, said string, code int) {
	var to, errs bytes.Buffer
	code = zstd.Main(args, zstd.Streams{In: in, Out: &to, Err: &errs})
	return to.Bytes(), errs.String(), code
}

func TestWhatGoesInComesOut(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		part := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(r, "part")
		data := bytes.Repeat(part, rapid.IntRange(1, 3000).Draw(r, "times"))
		packed, said, code := run(bytes.NewReader(data))
		if code != 0 || said != "" {
			r.Fatalf("compress: %d, %s", code, said)
		}
		// A frame to be skipped, as the seal of an archive is one.
		packed = append(packed, "\x5e\x2a\x4d\x18\x03\x00\x00\x00abc"...)
		got, said, code := run(bytes.NewReader(packed), "-d")
		if code != 0 || said != "" || !bytes.Equal(got, data) {
			r.Fatalf("decompress: %d, %s; %d bytes for %d", code, said, len(got), len(data))
		}
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errors.New("it broke") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("it broke") }

func TestExitCodesSayWhoseFaultItIs(t *testing.T) {
	packed, _, _ := run(strings.NewReader(strings.Repeat("some text", 10000)))
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		in   io.Reader
		args []string
		code int
		said string
	}{
		"no zstd":                  {strings.NewReader("no such thing"), []string{"-d"}, zstd.CodeDamaged, "larder-zstd: the input cannot be decompressed: "},
		"cut":                      {bytes.NewReader(packed[:len(packed)-1]), []string{"-d"}, zstd.CodeDamaged, "unexpected EOF"},
		"a bit flipped":            {bytes.NewReader(flipped), []string{"-d"}, zstd.CodeDamaged, "cannot be decompressed"},
		"cannot read":              {broken{}, []string{"-d"}, zstd.CodeFailed, "it broke"},
		"cannot read, to compress": {broken{}, nil, zstd.CodeFailed, "it broke"},
		"unknown flag":             {strings.NewReader(""), []string{"-x"}, zstd.CodeFailed, "usage: larder-zstd [-d]"},
		"two arguments":            {strings.NewReader(""), []string{"-d", "file"}, zstd.CodeFailed, "usage"},
	} {
		if _, said, code := run(c.in, c.args...); code != c.code || !strings.Contains(said, c.said) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q; want %d, %s", name, code, said, c.code, c.said)
		}
	}
	for _, args := range [][]string{nil, {"-d"}} {
		var said bytes.Buffer
		if code := zstd.Main(args, zstd.Streams{In: bytes.NewReader(packed), Out: broken{}, Err: &said}); code != zstd.CodeFailed || !strings.Contains(said.String(), "it broke") {
			t.Errorf("%v: nobody takes the output: %d, %s", args, code, said.String())
		}
	}
}

// TestALargeWindowIsRefused: whoever made the input does not decide on memory.
func TestALargeWindowIsRefused(t *testing.T) {
	for size, want := range map[int]int{8 << 20: 0, 16 << 20: zstd.CodeDamaged} {
		var packed bytes.Buffer
		w, err := compress.NewWriter(&packed, compress.WithWindowSize(size), compress.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out, said, code := run(&packed, "-d"); code != want {
			t.Errorf("a window of %d bytes: exit code %d, %d bytes, %s; want %d", size, code, len(out), said, want)
		}
	}
}
