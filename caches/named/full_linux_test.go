package named_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// On a full disk a publish fails, says so, and leaves the old generation.
func TestDiskFull(t *testing.T) {
	layertest.NeedOverlay(t) // needs the same namespaces
	command := job{Root: t.TempDir(), Full: true}.command(t)
	command.SysProcAttr = layertest.OwnNamespaces()
	if out, err := command.CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

func fullDisk(t testing.TB, root string) int {
	namedtest.Check(t, unix.Mount("tmpfs", root, "tmpfs", 0, "size=2m"))
	c := namedtest.At(t, root, caches.Mutable, namedtest.Copied)
	c.Do("echo 1 >n")
	before, _ := c.Store.List("")
	checkout := c.Started("echo 2 >n")
	filler := filepath.Join(root, "filler")
	fill(t, filler)
	outcome, err := checkout.Publish(context.Background(), named.PublishOptions{})
	if outcome.Result != named.Failed || !errors.Is(err, unix.ENOSPC) || outcome.After != before[0].Head {
		t.Fatal("publish on a full disk:", outcome, err)
	}
	if left, _ := filepath.Glob(c.Layout.Layers() + "/*/*[0-9a-f]"); len(left) != 1 {
		t.Fatal("layers are left:", left)
	}
	if content := c.Content(); content["n"] != "1\n" {
		t.Fatal("the old generation:", content)
	}
	namedtest.Check(t, os.Remove(filler))
	if c.Do("echo 3 >n"); c.Content()["n"] != "3\n" {
		t.Fatal("the next publish:", c.Content())
	}
	namedtest.Check(t, c.Run.Close())
	fmt.Println("ok")
	return 0
}

func fill(t testing.TB, path string) {
	file, err := os.Create(path)
	namedtest.Check(t, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal("fill the disk:", err)
	}
}
