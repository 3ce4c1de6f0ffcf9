package digest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	remote "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// generated is d as the generated message.
func generated(d Directory) *remote.Directory {
	message := &remote.Directory{}
	for _, f := range d.Files {
		message.Files = append(message.Files, &remote.FileNode{Name: f.Name, Digest: generatedDigest(f.Digest), IsExecutable: f.Executable})
	}
	for _, s := range d.Directories {
		message.Directories = append(message.Directories, &remote.DirectoryNode{Name: s.Name, Digest: generatedDigest(s.Digest)})
	}
	for _, l := range d.Symlinks {
		message.Symlinks = append(message.Symlinks, &remote.SymlinkNode{Name: l.Name, Target: l.Target})
	}
	return message
}

func generatedDigest(d Digest) *remote.Digest {
	return &remote.Digest{Hash: d.Hash(), SizeBytes: d.Size()}
}

func marshal(t testing.TB, message proto.Message) []byte {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// anyDigest draws a digest with any hash and a size between none and huge.
func anyDigest(fn Function) *rapid.Generator[Digest] {
	return rapid.Custom(func(t *rapid.T) Digest {
		d := Of(fn, rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "content"))
		d.size = rapid.SampledFrom([]int64{0, 1, 127, 128, 1 << 20, 1<<63 - 1}).Draw(t, "size")
		return d
	})
}

// anyDirectory draws a valid, sorted directory.
func anyDirectory(fn Function) *rapid.Generator[Directory] {
	return rapid.Custom(func(t *rapid.T) Directory {
		name := rapid.StringMatching(`[a-zA-Zä.é_-]{0,10}[a-z0-9]`)
		names := rapid.SliceOfNDistinct(name, 0, 12, rapid.ID).Draw(t, "names")
		slices.Sort(names)
		var d Directory
		for _, name := range names {
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				d.Files = append(d.Files, File{name, anyDigest(fn).Draw(t, "digest"), rapid.Bool().Draw(t, "executable")})
			case 1:
				d.Directories = append(d.Directories, Sub{name, anyDigest(fn).Draw(t, "digest")})
			case 2:
				d.Symlinks = append(d.Symlinks, Symlink{name, rapid.StringMatching(`[./a-z]{1,200}`).Draw(t, "target")})
			}
		}
		return d
	})
}

func anyFunction(t *rapid.T) Function {
	return rapid.SampledFrom([]Function{BLAKE3, SHA256}).Draw(t, "function")
}

func TestDirectoryIsTheGeneratedMessage(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		fn := anyFunction(r)
		d := anyDirectory(fn).Draw(r, "directory")
		got, err := d.Encode()
		if err != nil {
			r.Fatal(err)
		}
		if want := marshal(t, generated(d)); !bytes.Equal(got, want) {
			r.Fatalf("encoded %x, the generated message gives %x", got, want)
		}
		back, err := DecodeDirectory(fn, got)
		if err != nil {
			r.Fatal(err)
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(again, got) {
			r.Fatalf("decoded and encoded again: %x, %v; want %x", again, err, got)
		}
	})
}

func TestEncodeSortsWhatItIsGiven(t *testing.T) {
	d := Of(SHA256, nil)
	given := Directory{
		Files:       []File{{"b", d, false}, {"a", d, true}},
		Directories: []Sub{{"d", d}, {"c", d}},
		Symlinks:    []Symlink{{"f", "x"}, {"e", "y"}},
	}
	got, err := given.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := marshal(t, generated(Directory{
		Files:       []File{{"a", d, true}, {"b", d, false}},
		Directories: []Sub{{"c", d}, {"d", d}},
		Symlinks:    []Symlink{{"e", "y"}, {"f", "x"}},
	}))
	if !bytes.Equal(got, want) {
		t.Errorf("encoded %x, want %x", got, want)
	}
	if given.Files[0].Name != "b" {
		t.Error("Encode changed the directory that it was given")
	}
}

func TestEncodeRefusesWhatDecodeWouldRefuse(t *testing.T) {
	d := Of(BLAKE3, nil)
	for what, bad := range map[string]Directory{
		"a name twice among files":   {Files: []File{{"a", d, false}, {"a", d, true}}},
		"a name twice across kinds":  {Files: []File{{"a", d, false}}, Symlinks: []Symlink{{"a", "b"}}},
		"a file without digest":      {Files: []File{{Name: "a"}}},
		"a directory without digest": {Directories: []Sub{{Name: "a"}}},
		"a link without target":      {Symlinks: []Symlink{{Name: "a"}}},
		"a name with a slash":        {Symlinks: []Symlink{{"a/b", "c"}}},
		"a target that is not UTF-8": {Symlinks: []Symlink{{"a", "\xff"}}},
	} {
		if _, err := bad.Encode(); !errors.Is(err, ErrTree) {
			t.Errorf("%s: error %v, want ErrTree", what, err)
		}
	}
}

func TestDecodeDirectoryRefuses(t *testing.T) {
	good := generatedDigest(Of(SHA256, []byte("content")))
	file := func(names ...string) *remote.Directory {
		message := &remote.Directory{}
		for _, name := range names {
			message.Files = append(message.Files, &remote.FileNode{Name: name, Digest: good})
		}
		return message
	}
	withDigest := func(d *remote.Digest) *remote.Directory {
		return &remote.Directory{Directories: []*remote.DirectoryNode{{Name: "a", Digest: d}}}
	}
	for what, message := range map[string]*remote.Directory{
		"dot":             file("."),
		"dot dot":         file(".."),
		"slash":           file("a/b"),
		"empty name":      file(""),
		"zero byte":       file("a\x00"),
		"duplicate":       file("a", "a"),
		"unsorted":        file("b", "a"),
		"across kinds":    {Files: file("a").Files, Directories: withDigest(good).Directories},
		"unsorted links":  {Symlinks: []*remote.SymlinkNode{{Name: "b", Target: "x"}, {Name: "a", Target: "x"}}},
		"no target":       {Symlinks: []*remote.SymlinkNode{{Name: "b"}}},
		"no digest":       withDigest(nil),
		"empty digest":    withDigest(&remote.Digest{}),
		"negative size":   withDigest(&remote.Digest{Hash: good.Hash, SizeBytes: -1}),
		"short hash":      withDigest(&remote.Digest{Hash: good.Hash[:63], SizeBytes: 1}),
		"upper-case hash": withDigest(&remote.Digest{Hash: strings.Repeat("A", 64), SizeBytes: 1}),
	} {
		if _, err := DecodeDirectory(SHA256, marshal(t, message)); !errors.Is(err, ErrTree) {
			t.Errorf("%s: error %v, want ErrTree", what, err)
		}
	}
}

func TestDecodeDirectoryRefusesBrokenWire(t *testing.T) {
	whole := marshal(t, generated(Directory{Files: []File{{"name", Of(SHA256, []byte("x")), true}}}))
	for cut := 1; cut < len(whole); cut++ {
		if _, err := DecodeDirectory(SHA256, whole[:cut]); !errors.Is(err, ErrTree) {
			t.Errorf("cut at %d of %d: error %v, want ErrTree", cut, len(whole), err)
		}
	}
	node := whole[2:]
	twice := append([]byte{0x0a, byte(len(node) + len(node))}, append(slices.Clone(node), node...)...)
	for what, data := range map[string][]byte{
		"name that is not UTF-8": []byte("\x1a\x06\x0a\x01\xff\x12\x01x"),
		"name as a number":       []byte("\x1a\x05\x08\x01\x12\x01x"),
		"files as a number":      []byte("\x08\x01"),
		"end of no group":        []byte("\x0c"),
		"two digests":            twice,
	} {
		if _, err := DecodeDirectory(SHA256, data); !errors.Is(err, ErrTree) {
			t.Errorf("%s: error %v, want ErrTree", what, err)
		}
	}
}

func TestDecodeDirectoryLeavesOutUnknownFields(t *testing.T) {
	want := Directory{Files: []File{{"a", Of(SHA256, nil), true}}}
	message := generated(want)
	message.NodeProperties = &remote.NodeProperties{Properties: []*remote.NodeProperty{{Name: "n", Value: "v"}}}
	message.Files[0].NodeProperties = message.NodeProperties
	data := append(marshal(t, message), "\xf8\x3f\x01"...)
	got, err := DecodeDirectory(SHA256, data)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 1 || got.Files[0] != want.Files[0] {
		t.Errorf("decoded %v, want %v", got, want)
	}
}

// FuzzDecodeDirectory holds the decoder against the generated message: what it
// takes, that takes too, and means the same by it.
func FuzzDecodeDirectory(f *testing.F) {
	d := Of(SHA256, []byte("x"))
	f.Add(marshal(f, generated(Directory{Files: []File{{"a", d, true}}, Directories: []Sub{{"b", d}}, Symlinks: []Symlink{{"c", "../x"}}})))
	f.Add([]byte("\x1a\x06\x0a\x01\xff\x12\x01x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodeDirectory(SHA256, data)
		if err != nil {
			if !errors.Is(err, ErrTree) {
				t.Fatalf("error %v is not ErrTree", err)
			}
			return
		}
		encoded, err := got.Encode()
		if err != nil {
			t.Fatalf("decoded to what cannot be encoded: %v", err)
		}
		var message remote.Directory
		if err := proto.Unmarshal(data, &message); err != nil {
			if bytes.Equal(encoded, data) {
				t.Fatalf("taken here, refused by the generated message: %v", err)
			}
			return // broken inside a field that is left out here
		}
		if again := marshal(t, generated(got)); !bytes.Equal(again, encoded) {
			t.Fatalf("encoded %x, the generated message gives %x", encoded, again)
		}
		if !proto.Equal(generated(got), withoutUnknown(&message)) {
			t.Fatalf("decoded %v, the generated message has %v", got, &message)
		}
	})
}

// withoutUnknown rebuilds message from the fields that a Directory keeps.
func withoutUnknown(message *remote.Directory) *remote.Directory {
	kept := &remote.Directory{}
	plain := func(d *remote.Digest) *remote.Digest {
		return &remote.Digest{Hash: d.GetHash(), SizeBytes: d.GetSizeBytes()}
	}
	for _, f := range message.Files {
		kept.Files = append(kept.Files, &remote.FileNode{Name: f.Name, Digest: plain(f.Digest), IsExecutable: f.IsExecutable})
	}
	for _, s := range message.Directories {
		kept.Directories = append(kept.Directories, &remote.DirectoryNode{Name: s.Name, Digest: plain(s.Digest)})
	}
	for _, l := range message.Symlinks {
		kept.Symlinks = append(kept.Symlinks, &remote.SymlinkNode{Name: l.Name, Target: l.Target})
	}
	return kept
}
