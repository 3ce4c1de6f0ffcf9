package payload

import (
	"bytes"
	"context"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"larder/digest"
)

// ways are a copier for each way that there is, the first one as it is used.
func ways() map[string]*copier {
	return map[string]*copier{
		"whatever works":        {},
		"inside the kernel":     {noClone: true},
		"reading and writing":   {noClone: true, noInside: true},
		"with a buffer already": {noClone: true, noInside: true, buffer: make([]byte, piece)},
	}
}

func (c *copier) counting(ctx context.Context, bytes *int64) *copier {
	c.ctx, c.moved = ctx, func(n int64) { *bytes += n }
	return c
}

// holes writes a file of 16 MiB and some, with data at its beginning, in the
// middle and at odd places.
func holes(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = 16<<20 + 123
	content := make([]byte, size)
	for _, at := range []int{0, 5 << 20, 5<<20 + 70000, 9<<20 - 1} {
		data := content[at : at+65536]
		rand.New(rand.NewSource(int64(at))).Read(data)
		if _, err := file.WriteAt(data, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return content
}

func onDiskOf(t *testing.T, path string) int64 {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := errors.Join(file.Sync(), unix.Fstat(int(file.Fd()), &stat)); err != nil {
		t.Fatal(err)
	}
	return stat.Blocks * 512
}

func TestEveryWayCopiesBytesAndHoles(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	content := holes(t, from)
	taken := onDiskOf(t, from)
	for name, c := range ways() {
		t.Run(name, func(t *testing.T) {
			var moved int64
			to := filepath.Join(t.TempDir(), "to")
			if err := c.counting(t.Context(), &moved).file(from, to); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(to)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("the copy has %d bytes, not the %d of the source; %v", len(got), len(content), err)
			}
			if moved != int64(len(content)) {
				t.Errorf("%d of %d bytes were counted", moved, len(content))
			}
			if now := onDiskOf(t, to); now > taken+1<<20 {
				t.Errorf("the copy takes %d bytes and the source %d", now, taken)
			}
		})
	}
}

// TestZerosOfFileSystemsThatTellNoHoles is for those that say that all is data.
func TestZerosOfFileSystemsThatTellNoHoles(t *testing.T) {
	var moved int64
	dir := t.TempDir()
	content := holes(t, filepath.Join(dir, "from"))
	source, err := os.Open(filepath.Join(dir, "from"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.Create(filepath.Join(dir, "to"))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	size := int64(len(content))
	c := (&copier{}).counting(t.Context(), &moved)
	if err := errors.Join(target.Truncate(size), c.plain(source, target, 0, size)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(target.Name())
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the copy is another: %d bytes, %v", len(got), err)
	}
	if now := onDiskOf(t, target.Name()); now > size/2 {
		t.Errorf("the copy takes %d bytes of %d", now, size)
	}
}

func TestMemoryDoesNotGrowWithSize(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "from"), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "from", "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data := bytes.Repeat([]byte("data"), 16<<20)
	_, err = file.Write(data)
	if err := errors.Join(err, file.Truncate(8<<30)); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	var moved int64
	c := (&copier{noClone: true, noInside: true}).counting(t.Context(), &moved)
	runtime.ReadMemStats(&before)
	if err := c.tree(filepath.Join(dir, "from"), filepath.Join(dir, "to")); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 || moved != 8<<30 {
		t.Errorf("a copy of %d bytes allocated %d", moved, grown)
	}
}

// TestAFileThatShrinksIsNoCopy: what was seen of it at first is not there.
func TestAFileThatShrinksIsNoCopy(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	if err := os.WriteFile(from, bytes.Repeat([]byte("x"), 4<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &copier{ctx: t.Context(), noClone: true, moved: func(int64) { _ = os.Truncate(from, 1<<20) }}
	if err := c.file(from, filepath.Join(dir, "to")); !errors.Is(err, ErrChanged) {
		t.Errorf("the copy ended with %v", err)
	}
}

// TestACopyHasTheStateOfItsSource copies trees of any shape.
func TestACopyHasTheStateOfItsSource(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		names := rapid.SliceOfN(rapid.StringMatching(`([abc\x80]{1,3}/){0,3}[abc\n]{1,4}`), 0, 12).Draw(r, "names")
		if err := os.Mkdir(from, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			path := filepath.Join(from, name)
			if os.MkdirAll(filepath.Dir(path), 0o755) != nil {
				continue // a file has the name of a folder
			}
			switch rapid.IntRange(0, 3).Draw(r, "kind") {
			case 0:
				_ = os.Mkdir(path, 0o755)
			case 1:
				_ = os.Symlink(rapid.StringMatching(`[ab./]{1,5}`).Draw(r, "target"), path)
			default:
				mode := os.FileMode(rapid.IntRange(0, 0o777).Draw(r, "mode")) | 0o400
				_ = os.WriteFile(path, rapid.SliceOfN(rapid.Byte(), 0, 9000).Draw(r, "content"), mode)
			}
		}
		var moved int64
		if err := (&copier{}).counting(t.Context(), &moved).tree(from, to); err != nil {
			r.Fatal(err)
		}
		want, err := digest.StateOfTree(t.Context(), from)
		got, err2 := digest.StateOfTree(t.Context(), to)
		if err := errors.Join(err, err2); err != nil || got.Digest != want.Digest || moved != want.Bytes {
			r.Errorf("the copy is %+v after %d bytes and the source %+v: %v", got, moved, want, err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	for _, seed := range []string{"", "{", `{"schema":1,"path":"/sdk","state":"x/1","files":1,"bytes":2}`, `{"schema":2,"path":"/sdk"}`, `{"schema":1,"path":"sdk"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err == nil && (r.Schema != 1 || !filepath.IsAbs(r.Path)) {
			t.Errorf("%q was read as %+v", data, r)
		}
	})
}
