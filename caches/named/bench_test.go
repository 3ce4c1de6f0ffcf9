package named_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// BenchmarkCheckoutPublish measures a checkout and a publish of 200 changed
// files of 4 KiB, without the time in which the action writes them, for caches
// of several sizes; and the same by cp -a and a swap of directories.
func BenchmarkCheckoutPublish(b *testing.B) {
	layertest.NeedOverlay(b)
	for _, size := range []int{1_000, 20_000, 100_000} {
		b.Run(fmt.Sprintf("layers/files=%d", size), func(b *testing.B) { byLayers(b, size) })
		b.Run(fmt.Sprintf("cp/files=%d", size), func(b *testing.B) { byCopy(b, size) })
	}
}

const script = `i=0; while [ $i -lt 200 ]; do cat /proc/self/stat >d$((i % 10))/f$((i / 10 + 20)); i=$((i + 1)); done`

func byLayers(b *testing.B, size int) {
	c := namedtest.New(b, caches.Mutable, namedtest.Overlaid)
	checkout := c.Checkout()
	populate(b, checkout.Upper(), size)
	c.Publish(checkout, named.PublishOptions{})
	var compact time.Duration
	for b.Loop() {
		checkout := c.Checkout()
		b.StopTimer()
		c.Act(checkout, script)
		b.StartTimer()
		if outcome := c.Publish(checkout, named.PublishOptions{}); outcome.Changed != 200 {
			b.Fatalf("%+v", outcome)
		}
		b.StopTimer()
		start := time.Now()
		namedtest.Check(b, c.Store.Compact(context.Background(), c.Ref))
		compact += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(compact.Microseconds())/float64(b.N), "compact-µs/op")
}

func byCopy(b *testing.B, size int) {
	dir := filepath.Join(b.TempDir(), "cache")
	populate(b, dir, size)
	for b.Loop() {
		if out, err := exec.Command("cp", "-a", dir, dir+".new").CombinedOutput(); err != nil {
			b.Fatal(string(out))
		}
		namedtest.Check(b, os.Rename(dir, dir+".old"))
		namedtest.Check(b, os.Rename(dir+".new", dir))
		b.StopTimer()
		namedtest.Check(b, os.RemoveAll(dir+".old"))
		b.StartTimer()
	}
}

func populate(b *testing.B, dir string, files int) {
	content := make([]byte, 4096)
	for n := range files {
		path := filepath.Join(dir, fmt.Sprintf("d%d", n%10), fmt.Sprintf("f%d", n/10))
		if n < 10 {
			namedtest.Check(b, os.MkdirAll(filepath.Dir(path), 0o755))
		}
		namedtest.Check(b, os.WriteFile(path, content, 0o644))
	}
}
