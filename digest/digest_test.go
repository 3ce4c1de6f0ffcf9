package digest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestKnownDigests(t *testing.T) {
	for _, c := range []struct {
		fn            Function
		content, want string
	}{
		{BLAKE3, "", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262/0"},
		{SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0"},
		{SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/3"},
		{BLAKE3, "abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85/3"},
	} {
		if got := Of(c.fn, []byte(c.content)).String(); got != c.want {
			t.Errorf("%s of %q is %s, want %s", c.fn, c.content, got, c.want)
		}
	}
}

func TestEveryWayGivesTheSameDigest(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		fn := anyFunction(r)
		size := rapid.SampledFrom([]int{0, 1, 1000, bufferSize - 1, bufferSize, bufferSize + 1, 2*bufferSize + 7}).Draw(r, "size")
		content := strings.Repeat("0123456789", size/10+1)[:size]
		want := Of(fn, []byte(content))
		h := NewHasher(fn)
		io.WriteString(h, "something else")
		h.Reset()
		cut := rapid.IntRange(0, size).Draw(r, "cut")
		io.WriteString(h, content[:cut])
		io.WriteString(h, content[cut:])
		read, err := OfReader(fn, iotest.HalfReader(strings.NewReader(content)))
		if err != nil || read != want || h.Digest() != want {
			r.Fatalf("reader %s (%v), hasher %s, want %s", read, err, h.Digest(), want)
		}
		parsed, err := Parse(fn, want.String())
		if err != nil || parsed != want || parsed.Function() != fn || parsed.Size() != int64(size) {
			r.Fatalf("parsed %s (%v), want %s", parsed, err, want)
		}
	})
}

func TestOfReaderReportsTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := OfReader(BLAKE3, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
}

func TestParseRefuses(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for _, text := range []string{"", "/", hash, hash + "/", "/1", hash + "/-1", hash + "/+1", hash + "/01", hash + "/1 ", hash + "/1/2", hash[1:] + "/1", hash + "0/1",
		strings.ToUpper(hash) + "/1", strings.Repeat("g", 64) + "/1", hash + "/9223372036854775808", hash + "/0x1"} {
		if d, err := Parse(SHA256, text); !errors.Is(err, ErrDigest) || !d.IsZero() {
			t.Errorf("Parse(%q) is %v, %v, want ErrDigest", text, d, err)
		}
	}
	if _, err := New(Function(7), hash, 1); !errors.Is(err, ErrDigest) {
		t.Errorf("unknown function: error %v, want ErrDigest", err)
	}
}

func TestZeroDigestIsNoDigest(t *testing.T) {
	var zero Digest
	allZero, err := New(BLAKE3, strings.Repeat("0", 64), 0)
	if err != nil || !zero.IsZero() || allZero.IsZero() || allZero == zero || zero.String() != "" {
		t.Errorf("zero %+v, a hash of zeros %+v (%v)", zero, allZero, err)
	}
	if Of(BLAKE3, nil) == Of(SHA256, nil) {
		t.Error("digests of two functions are equal")
	}
}

func TestFunctionNames(t *testing.T) {
	for _, fn := range []Function{BLAKE3, SHA256} {
		if got, err := ParseFunction(fn.String()); err != nil || got != fn {
			t.Errorf("%s is read as %v, %v", fn, got, err)
		}
	}
	if _, err := ParseFunction("md5"); !errors.Is(err, ErrDigest) {
		t.Errorf("md5: error %v, want ErrDigest", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Of(BLAKE3, nil).String())
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(BLAKE3, text)
		if (err == nil) != (d.String() == text && text != "") {
			t.Errorf("%q is read as %q, %v", text, d, err)
		}
	})
}
