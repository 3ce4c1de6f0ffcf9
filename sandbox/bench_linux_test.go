//go:build amd64 || arm64

package sandbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// benchmarkRun runs the no-op command with cfg once per iteration.
func benchmarkRun(b *testing.B, prepare func(*testing.B, *Config)) {
	cfg := Config{View: SystemView(), Args: []string{"/usr/bin/true"}, Private: b.TempDir()}
	var made, ran int64
	for b.Loop() {
		prepare(b, &cfg)
		status, err := Run(context.Background(), cfg)
		if err != nil || status.ExitCode != 0 {
			b.Fatal(status, err)
		}
		made += status.Prepare.Nanoseconds()
		ran += status.Run.Nanoseconds()
	}
	b.ReportMetric(float64(made)/float64(b.N)/1e3, "prepare-µs/op")
	b.ReportMetric(float64(ran)/float64(b.N)/1e3, "run-µs/op")
}

func BenchmarkRunTrue(b *testing.B) {
	b.Run("host network", func(b *testing.B) {
		benchmarkRun(b, func(_ *testing.B, cfg *Config) { cfg.Network = NetworkHost })
	})
	b.Run("own network", func(b *testing.B) {
		benchmarkRun(b, func(*testing.B, *Config) {})
	})
	overlay := func(b *testing.B, cfg *Config) {
		dir := b.TempDir()
		o := Overlay{Target: WorkDir}
		for _, name := range []string{"lower", "upper", "work"} {
			_ = os.Mkdir(filepath.Join(dir, name), 0o755)
		}
		o.Lowers, o.Upper, o.Work = []string{filepath.Join(dir, "lower")}, filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		cfg.Overlays = []Overlay{o}
	}
	b.Run("overlay, host network", func(b *testing.B) {
		benchmarkRun(b, func(b *testing.B, cfg *Config) { overlay(b, cfg); cfg.Network = NetworkHost })
	})
	b.Run("overlay, own network", func(b *testing.B) { benchmarkRun(b, overlay) })
	b.Run("no view, host network", func(b *testing.B) {
		benchmarkRun(b, func(_ *testing.B, cfg *Config) {
			cfg.View, cfg.Args, cfg.Network = View{Binds: []Bind{{Source: "/usr", Target: "/usr"}, {Source: "/lib64", Target: "/lib64"}, {Source: "/lib", Target: "/lib"}}}, []string{"/usr/bin/true"}, NetworkHost
		})
	})
}

// BenchmarkOthers is what other sandboxes take for the same command.
func BenchmarkOthers(b *testing.B) {
	for name, args := range map[string][]string{
		"plain":      {"true"},
		"unshare":    {"unshare", "-Urmpf", "true"},
		"bubblewrap": {"bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"},
	} {
		b.Run(name, func(b *testing.B) {
			if _, err := exec.LookPath(args[0]); err != nil {
				b.Skip(err)
			}
			for b.Loop() {
				if err := exec.Command(args[0], args[1:]...).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPlan is the part that needs no kernel.
func BenchmarkPlan(b *testing.B) {
	cfg := Config{View: SystemView(), Args: []string{"true"}}
	known, err := surveyHost(&cfg)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, err := newProgram()
		if err != nil {
			b.Fatal(err)
		}
		p.planBase(&cfg, known, nil)
		if !p.planRun(&cfg, known) {
			b.Fatal("no plan")
		}
		p.arena.free()
	}
}

// BenchmarkSystemView is the look at the host before a plan.
func BenchmarkSystemView(b *testing.B) {
	for b.Loop() {
		if v := SystemView(); len(v.Binds) == 0 {
			b.Fatal("nothing to see")
		}
	}
}

// BenchmarkAhead is what is left to do for a sandbox that was made ahead.
func BenchmarkAhead(b *testing.B) {
	cfg := Config{View: SystemView(), Args: []string{"/usr/bin/true"}, Private: b.TempDir()}
	for b.Loop() {
		b.StopTimer()
		a, err := Start(cfg, cfg.view)
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		b.StartTimer()
		if status, err := a.Run(context.Background(), cfg); err != nil || status.ExitCode != 0 {
			b.Fatal(status, err)
		}
	}
}
