package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// goBuild builds larder itself with Go's build cache as a named cache. Go names
// entries by what they hold, so the cache can be append-only: any number of builds
// share it, in all repositories, and none can spoil what another one put there.
// What Go does write anew, its notes of links and of cleaning, is dropped; --preset
// go keeps it, in a mutable cache.
func (d *demonstration) goBuild(ctx context.Context, source string) error {
	if err := d.copySource(ctx, source); err != nil {
		d.out.printf("no Go build: %v\n", err)
		return nil
	}
	const name = "go build of larder"
	bare, err := d.start(ctx, d.path("go-bare"), "go", "build", "-trimpath", "-buildvcs=false", "-o", "larder.bin", "./cmd/larder")
	if err != nil {
		return err
	}
	through, err := d.goThrough(ctx)
	if err != nil {
		return err
	}
	d.compare(demoRow{step: name + ", cold", reused: "nothing"}, through, bare)
	d.sameBinary(name + ", cold")
	for _, repository := range []string{"go", "go-bare"} {
		if err := appendTo(d.path(repository, "cmd/larder/version.go"), "\n// An edit that changes one package.\nvar _ = release\n"); err != nil {
			return err
		}
	}
	if bare, err = d.start(ctx, d.path("go-bare"), "go", "build", "-trimpath", "-buildvcs=false", "-o", "larder.bin", "./cmd/larder"); err != nil {
		return err
	}
	if through, err = d.goThrough(ctx); err != nil {
		return err
	}
	result, err := readRecord(d.path("go.json"))
	if err != nil {
		return err
	}
	d.compare(demoRow{step: name + ", one file edited", reused: reused(result)}, through, bare)
	d.sameBinary(name + ", one file edited")
	return nil
}

func (d *demonstration) goThrough(ctx context.Context) (ran, error) {
	return d.start(ctx, d.path("go"), d.larder, "run", "-i", ".", "-o", "larder.bin", "--json", d.path("go.json"),
		"-e", "GOCACHE=/build/.gocache", "-e", "GOFLAGS=-mod=vendor", "-e", "CGO_ENABLED=0", "-e", "GOTOOLCHAIN=local",
		"--append-only", "gobuild=.gocache",
		"--", "go", "build", "-trimpath", "-buildvcs=false", "-o", "larder.bin", "./cmd/larder")
}

// copySource makes two copies of larder's source with its dependencies, since
// the sandbox has no network.
func (d *demonstration) copySource(ctx context.Context, source string) error {
	module, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil || !strings.HasPrefix(string(module), "module larder\n") {
		return errors.Join(err, fmt.Errorf("%s is not the source of larder; name it with --source DIR", source))
	}
	for _, to := range []string{"go", "go-bare"} {
		for _, part := range []string{"go.mod", "go.sum"} {
			if err := copyFile(filepath.Join(source, part), d.path(to, part)); err != nil {
				return err
			}
		}
		for _, part := range []string{"cmd", "executor", "digest", "caches", "sandbox"} {
			if err := copyRepository(&subject{source: source, target: part}, d.path(to)); err != nil {
				return err
			}
		}
		done, err := d.start(ctx, d.path(to), "go", "mod", "vendor")
		if err != nil || done.code != 0 {
			return errors.Join(err, fmt.Errorf("go mod vendor: %s", tail(done.output)))
		}
	}
	return nil
}

func (d *demonstration) sameBinary(step string) {
	ours, err := os.ReadFile(d.path("go", "larder.bin"))
	bare, bareErr := os.ReadFile(d.path("go-bare", "larder.bin"))
	if err != nil || bareErr != nil || string(ours) != string(bare) {
		d.fail("%s: the binary differs from the bare tool's (%v, %v)", step, err, bareErr)
	}
}
