package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"larder/sandbox"
)

func TestHintForBareNamesWhatIsMissing(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#! /opt/py/bin/python -E\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for want, failed := range map[string]*sandbox.ExecError{
		"none of them has tool":             {Program: "tool", Errno: syscall.ENOENT},
		"add --tool /opt/py/bin/python and": {Path: script, Errno: syscall.ENOENT, MissingInterpreter: true},
		"name what it needs":                {Path: "/build/not on the host", Errno: syscall.ENOENT, MissingInterpreter: true},
	} {
		if got := hintForBare(failed); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := hintForBare(&sandbox.ExecError{Path: script, Errno: syscall.EACCES}); got != "" {
		t.Errorf("what is not executable got %q", got)
	}
}

// Whatever a file holds, looking for its loader ends without a panic and stays
// within the file.
func FuzzLoaderIn(f *testing.F) {
	header := make([]byte, 200)
	copy(header, "\x7fELF\x02\x01")
	header[32], header[56] = 64, 1
	header[64], header[72], header[96] = 3, 150, 10
	copy(header[150:], "/lib/ld.so")
	if got := loaderIn(header); got != "/lib/ld.so" {
		f.Fatalf("got %q", got)
	}
	f.Add(header)
	f.Add([]byte("\x7fELF\x02\x01"))
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if got := loaderIn(head); len(got) > len(head) {
			t.Errorf("%d bytes of %d", len(got), len(head))
		}
	})
}
