package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"larder/caches"
	"larder/caches/archive"
	larderzstd "larder/caches/archive/zstd"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inProcess compresses without another program.
func inProcess() archive.Codec {
	return archive.Codec{Pack: larderzstd.Pack, Unpack: larderzstd.Unpack}
}

func demoRef(t testing.TB) caches.Ref {
	name, err := caches.ParseName("demo")
	check(t, err)
	return caches.Ref{Name: name, Mode: caches.Mutable, Scope: caches.RepoScope("/src/app"), Key: "k"}
}

// pack writes a plain directory as an archive.
func pack(t testing.TB, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	stack := layers.Stack{{ID: "all", Path: dir}}
	_, err := inProcess().Write(context.Background(), &out, archive.Description{Cache: demoRef(t), Generation: "g"}, stack, t.TempDir())
	check(t, err)
	return out.Bytes()
}

// unpack reads an archive into a fresh directory.
func unpack(t testing.TB, data []byte) (dir string, totals archive.Totals, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "dir")
	check(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { layertest.RemoveAll(t, dir) })
	reader, err := inProcess().Open(bytes.NewReader(data))
	if err != nil {
		return dir, totals, err
	}
	defer reader.Close()
	scratch := t.TempDir()
	totals, err = reader.Extract(context.Background(), dir, scratch)
	if left, _ := os.ReadDir(scratch); len(left) > 0 {
		t.Errorf("%s is left of the listing", left[0].Name())
	}
	return dir, totals, err
}

// facts lists all that an archive keeps of a directory.
func facts(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		check(t, err)
		target, _ := os.Readlink(path)
		content, _ := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano(), target, string(content))
		return nil
	}))
	return all
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("n", 255)
	layertest.Tree{"a": "1", "a.b": "2", "a-/x": "3", "d/e/f": "4", "d/up": "-> ../a", "d/here": "-> ./e/f", "empty/": "",
		".wh.x": "5", "new\nline": "6", "\xff": "7", "ü/" + long + "/" + long: "8", "large": strings.Repeat("0123456789", 100000), "zero": ""}.Write(t, dir)
	check(t, os.Chmod(filepath.Join(dir, "a"), 0o750))
	check(t, os.Chtimes(filepath.Join(dir, "a"), time.Time{}, time.Unix(981173106, 123456789)))
	check(t, os.Chtimes(filepath.Join(dir, "a.b"), time.Time{}, time.Unix(-5, 7)))
	check(t, os.Chmod(filepath.Join(dir, "d/e"), 0o555))
	t.Cleanup(func() { layertest.RemoveAll(t, dir) })
	data := pack(t, dir)
	got, totals, err := unpack(t, data)
	check(t, err)
	want := facts(t, dir)
	if diff := cmp.Diff(want, facts(t, got)); diff != "" {
		t.Errorf("what came back (-want +got):\n%s", diff)
	}
	if totals.Entries != int64(len(want)) || totals.Bytes != 1000008 {
		t.Errorf("totals %+v, want %d entries", totals, len(want))
	}
	reader, err := inProcess().Open(bytes.NewReader(data))
	check(t, err)
	if reader.Description.Cache != demoRef(t) || reader.Description.Generation != "g" {
		t.Errorf("it calls itself %+v", reader.Description)
	}
}

func TestAnyTreeComesBack(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "a.", "a-", "c d", "é", "-"})
	rapid.Check(t, func(r *rapid.T) {
		dir := t.TempDir()
		for range rapid.IntRange(0, 12).Draw(r, "files") {
			parts := rapid.SliceOfN(names, 1, 4).Draw(r, "path")
			path := filepath.Join(append([]string{dir}, parts...)...)
			if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
				os.WriteFile(path, []byte(rapid.StringN(0, 20, 80).Draw(r, "content")), 0o644)
			}
		}
		got, _, err := unpack(t, pack(t, dir))
		if diff := cmp.Diff(facts(t, dir), facts(t, got)); err != nil || diff != "" {
			r.Fatalf("%v\n%s", err, diff)
		}
	})
}

// TestEveryDamageIsFound flips a bit of each byte, and cuts the file at each
// length.
func TestEveryDamageIsFound(t *testing.T) {
	dir := t.TempDir()
	layertest.Tree{"a": "one", "d/b": "two", "l": "-> a"}.Write(t, dir)
	data := pack(t, dir)
	for at := range data {
		flipped := bytes.Clone(data)
		flipped[at] ^= 1 << (at % 8)
		if _, _, err := unpack(t, flipped); err == nil {
			t.Errorf("byte %d of %d was flipped, and it was taken", at, len(data))
		}
		if _, _, err := unpack(t, data[:at]); !errors.Is(err, layers.ErrDamaged) {
			t.Errorf("cut after %d of %d bytes: %v", at, len(data), err)
		}
	}
	if _, _, err := unpack(t, append(bytes.Clone(data), data...)); !errors.Is(err, layers.ErrDamaged) {
		t.Errorf("two files in one: %v", err)
	}
}

// entry is one member of a file made by hand.
type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, content}
}

func folder(name string) entry {
	return entry{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, ""}
}

func link(name, target string) entry {
	return entry{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, ""}
}

func kind(flag byte, name string) entry {
	return entry{tar.Header{Typeflag: flag, Name: name, Mode: 0o644, Linkname: map[byte]string{tar.TypeLink: "content/a"}[flag]}, ""}
}

const reference = `{"format":1,"cache":{"format":1,"name":"demo","mode":"mutable","scope_kind":2,"scope":"","key":""},"generation":"g"}`

// forge writes a file with what members say, behind a valid beginning.
func forge(t testing.TB, members ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	packed, err := zstd.NewWriter(&out)
	check(t, err)
	w := tar.NewWriter(packed)
	for _, member := range append([]entry{file("ref.json", reference)}, members...) {
		member.Size, member.Format = int64(len(member.content)), tar.FormatPAX
		check(t, w.WriteHeader(&member.Header))
		_, err := w.Write([]byte(member.content))
		check(t, err)
	}
	check(t, errors.Join(w.Close(), packed.Close()))
	return seal(out.Bytes())
}

// seal appends what says that no bit was changed.
func seal(data []byte) []byte {
	sum := blake3.Sum256(data)
	return append(append(data, "\x5e\x2a\x4d\x18\x20\x00\x00\x00"...), sum[:]...)
}

// compress makes an archive of any bytes.
func compress(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	check(t, err)
	_, err = w.Write(data)
	check(t, errors.Join(err, w.Close()))
	return seal(out.Bytes())
}

// A header for holes is one that the tar package does not write itself.
func TestHolesAreRefused(t *testing.T) {
	holes := file("content/x", "")
	holes.PAXRecords = map[string]string{"XNU.sparse.size": "99999999999"}
	data := bytes.ReplaceAll(forgeTar(t, holes), []byte("XNU.sparse"), []byte("GNU.sparse"))
	if _, _, err := unpack(t, compress(t, data)); err == nil || !strings.Contains(err.Error(), `"x": it has extended attributes or holes`) {
		t.Errorf("%v", err)
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	device := kind(tar.TypeChar, "content/x")
	device.Devmajor, device.Devminor = 1, 3
	marked, setuid, unreadable, open := file("content/x", ""), file("content/x", ""), file("content/x", ""), folder("content/x/")
	marked.PAXRecords = map[string]string{"SCHILY.xattr.user.overlay.whiteout": "y"}
	setuid.Mode, unreadable.Mode, open.Mode = 0o4755, 0o200, 0o777
	for name, c := range map[string]struct {
		members []entry
		want    string
	}{
		"up":                        {[]entry{file("content/../x", "")}, `"content/../x": the name is not a clean path`},
		"up and away":               {[]entry{file("content/../../x", "")}, "not a clean path"},
		"absolute":                  {[]entry{file("/etc/x", "")}, `"/etc/x": it is no part of such a file`},
		"absolute inside":           {[]entry{file("content//x", "")}, "not a clean path"},
		"dot":                       {[]entry{folder("content/./")}, "not a clean path"},
		"itself":                    {[]entry{folder("content/")}, "not a clean path"},
		"elsewhere":                 {[]entry{file("other/x", "")}, "no part of such a file"},
		"twice":                     {[]entry{file("content/x", ""), file("content/x", "")}, `"x": it comes twice`},
		"twice, of two kinds":       {[]entry{folder("content/x/"), link("content/x", "y")}, `"x": it comes twice`},
		"out of order":              {[]entry{file("content/y", ""), file("content/x", "")}, "out of order"},
		"no directory":              {[]entry{file("content/d/x", "")}, `"d/x": it does not come in the directory`},
		"through a link":            {[]entry{link("content/d", "e"), file("content/d/x", "")}, `"d/x": it does not come in the directory`},
		"through a file":            {[]entry{file("content/d", ""), file("content/d/x", "")}, `"d/x": it does not come in the directory`},
		"back into a directory":     {[]entry{folder("content/d/"), file("content/e", ""), file("content/d/x", "")}, "it does not come in the directory"},
		"link to the root":          {[]entry{link("content/l", "/etc/passwd")}, `"l": the link leads out of the cache, to "/etc/passwd"`},
		"link up":                   {[]entry{link("content/l", "../x")}, `"l": the link leads out`},
		"link up from below":        {[]entry{folder("content/d/"), link("content/d/l", "../../x")}, `"d/l": the link leads out`},
		"link up behind a name":     {[]entry{link("content/l", "d/../../x")}, `"l": the link to "d/../../x" goes up again`},
		"hard link":                 {[]entry{file("content/a", ""), kind(tar.TypeLink, "content/x")}, `"x": it is a hard link`},
		"whiteout":                  {[]entry{kind(tar.TypeChar, "content/x")}, `"x": it is a whiteout`},
		"device":                    {[]entry{device}, `"x": it is a character device`},
		"block device":              {[]entry{kind(tar.TypeBlock, "content/x")}, `"x": it is a block device`},
		"fifo":                      {[]entry{kind(tar.TypeFifo, "content/x")}, `"x": it is a FIFO`},
		"mark of overlayfs":         {[]entry{marked}, `"x": it has extended attributes`},
		"set-user-ID":               {[]entry{setuid}, `"x": no cache has anything with the mode 4755`},
		"unreadable":                {[]entry{unreadable}, "mode 0200"},
		"writable by all":           {[]entry{open}, "mode 0777"},
		"name too long":             {[]entry{file("content/"+strings.Repeat("n", 256), "")}, "file name too long"},
		"no listing":                {[]entry{file("content/x", "")}, `after "x"`},
		"empty listing":             {[]entry{file("content/x", ""), file("listing", "")}, `"x" is not in the listing`},
		"listing of another file":   {[]entry{file("listing", `f 0644 0 0.000000000 - "y"`+"\n")}, `"y" is in the listing and not among the files`},
		"listing that does not end": {[]entry{file("listing", strings.Repeat("x", 1<<20))}, "read the listing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := unpack(t, forge(t, c.members...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want it refused with %s", err, c.want)
			}
		})
	}
}

// TestListingIsHeldAgainstTheFiles changes one thing behind a valid listing.
func TestListingIsHeldAgainstTheFiles(t *testing.T) {
	dir := t.TempDir()
	layertest.Tree{"d/a": "one", "l": "-> d"}.Write(t, dir)
	members := read(t, pack(t, dir))
	if _, _, err := unpack(t, forge(t, members...)); err != nil {
		t.Fatalf("put together again: %v", err)
	}
	for want, change := range map[string]func(m []entry) []entry{
		`"d/a" is not what`: func(m []entry) []entry { m[1].content = "two"; return m },
		`"d" is not what`:   func(m []entry) []entry { m[0].Mode = 0o700; return m },
		`"l" is not what`:   func(m []entry) []entry { m[2].Linkname = "e"; return m },
		`"d/a" is in the`:   func(m []entry) []entry { return append(m[:1], m[2:]...) },
		`"z" is not in`:     func(m []entry) []entry { return append(m[:3:3], file("content/z", ""), m[3]) },
		"totals are not": func(m []entry) []entry {
			m[3].content = strings.Replace(m[3].content, "total 3", "total 4", 1)
			return m
		},
		"comes after the lis":   func(m []entry) []entry { return append(m, file("content/z", "")) },
		`"d/a" is not what the`: func(m []entry) []entry { m[1].ModTime = time.Unix(1, 0); return m },
	} {
		_, _, err := unpack(t, forge(t, change(read(t, pack(t, dir)))...))
		if !errors.Is(err, layers.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// read takes an archive apart, but for its beginning.
func read(t testing.TB, data []byte) (members []entry) {
	t.Helper()
	packed, err := zstd.NewReader(bytes.NewReader(data))
	check(t, err)
	defer packed.Close()
	r := tar.NewReader(packed)
	for {
		h, err := r.Next()
		if err != nil {
			return members[1:]
		}
		var content bytes.Buffer
		_, err = content.ReadFrom(r)
		check(t, err)
		members = append(members, entry{*h, content.String()})
	}
}

// TestWriteRefusesWhatReadWould: a file that cannot be read back is not written.
func TestWriteRefusesWhatReadWould(t *testing.T) {
	dir := t.TempDir()
	layertest.Tree{"l": "-> /etc"}.Write(t, dir)
	_, err := inProcess().Write(context.Background(), &bytes.Buffer{}, archive.Description{Cache: demoRef(t)}, layers.Stack{{ID: "x", Path: dir}}, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), `"l": the link leads out`) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := inProcess().Write(ctx, &bytes.Buffer{}, archive.Description{Cache: demoRef(t)}, layers.Stack{{ID: "x", Path: dir}}, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("broken off: %v", err)
	}
}

// FuzzExtract: whatever the bytes, nothing is written outside of the directory,
// and what is taken is written again as the same content.
func FuzzExtract(f *testing.F) {
	f.Add([]byte(forgeTar(f, file("content/x", "1"), link("content/y", "x"))))
	f.Add([]byte(forgeTar(f, folder("content/d/"), link("content/d/l", "../../.."))))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir, _, err := unpack(t, compress(t, data))
		beside, readErr := os.ReadDir(filepath.Dir(dir))
		check(t, readErr)
		if len(beside) != 1 {
			t.Fatalf("written beside the directory: %v", beside)
		}
		if err != nil {
			return
		}
		again, _, err := unpack(t, pack(t, dir))
		if diff := cmp.Diff(facts(t, dir), facts(t, again)); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// forgeTar is forge without compression.
func forgeTar(t testing.TB, members ...entry) []byte {
	packed, err := zstd.NewReader(bytes.NewReader(forge(t, members...)))
	check(t, err)
	defer packed.Close()
	var out bytes.Buffer
	_, err = out.ReadFrom(packed)
	check(t, err)
	return out.Bytes()
}
