package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"larder/caches/archive"
	"larder/caches/archive/zstd"
)

// realCompressor is the program as the scripts have it.
func realCompressor(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath(compressorName)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeCompressor is a program that does what a shell script says.
func fakeCompressor(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), compressorName)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// noise is more than fits into pipes and buffers, and does not get smaller.
func noise() []byte {
	data := make([]byte, 3<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	return data
}

func packAll(codec archive.Codec, to io.Writer, data []byte) error {
	packed, err := codec.Pack(to)
	if err != nil {
		return err
	}
	for len(data) > 0 && err == nil {
		n := min(len(data), 1000)
		_, err = packed.Write(data[:n])
		data = data[n:]
	}
	if closed := packed.Close(); err == nil {
		err = closed
	}
	return err
}

func unpackAll(codec archive.Codec, from io.Reader) ([]byte, error) {
	packed, err := codec.Unpack(from)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(packed)
	return data, errors.Join(err, packed.Close())
}

func TestTheProgramDoesWhatThePackageDoes(t *testing.T) {
	ways := map[string]archive.Codec{
		"program": codecOf(t.Context(), realCompressor(t)),
		"package": {Pack: zstd.Pack, Unpack: zstd.Unpack},
	}
	for _, data := range [][]byte{nil, []byte("x"), noise(), bytes.Repeat([]byte("again and again "), 1<<18)} {
		for packs, one := range ways {
			var packed bytes.Buffer
			if err := packAll(one, &packed, data); err != nil {
				t.Fatalf("%s, %d bytes: %v", packs, len(data), err)
			}
			for unpacks, other := range ways {
				if got, err := unpackAll(other, bytes.NewReader(packed.Bytes())); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes, compressed by the %s, come out of the %s as %d: %v", len(data), packs, unpacks, len(got), err)
				}
			}
			cut := bytes.NewReader(packed.Bytes()[:packed.Len()/2])
			if _, err := unpackAll(ways["program"], cut); len(data) > 0 && (err == nil || errors.Is(err, archive.ErrBrokenOff)) {
				t.Errorf("half of it: %v; want the archive to be at fault", err)
			}
		}
	}
	if compressorDamaged != zstd.CodeDamaged {
		t.Errorf("the exit code for damage is %d here and %d there", compressorDamaged, zstd.CodeDamaged)
	}
}

// TestACompressorThatFails: its end, its exit code and what it says become the
// error, and nobody waits for what will not come.
func TestACompressorThatFails(t *testing.T) {
	for script, want := range map[string]string{
		`head -c 100 >/dev/null; echo "larder-zstd: out of sorts" >&2; exit 3`: "larder-zstd: exit status 3: out of sorts",
		`head -c 100; kill -9 $$`: "larder-zstd: signal: killed",
		`exec <&-; sleep 0.01`:    "larder-zstd: ",
	} {
		codec := codecOf(t.Context(), fakeCompressor(t, script))
		err := packAll(codec, io.Discard, noise())
		if !errors.Is(err, archive.ErrBrokenOff) || !strings.Contains(err.Error(), want) {
			t.Errorf("compress by %s: %v; want %s", script, err, want)
		}
		stuck, _ := io.Pipe() // as a standard input that nobody writes to
		if strings.HasPrefix(script, "head") {
			stuck = half(t)
		}
		_, err = unpackAll(codec, stuck)
		if !errors.Is(err, archive.ErrBrokenOff) || !strings.Contains(err.Error(), want) {
			t.Errorf("decompress by %s: %v; want %s", script, err, want)
		}
	}
	if _, err := codecOf(t.Context(), "/no/such/program").Pack(io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// half is a reader that gives 200 bytes and then nothing, not even its end.
func half(t *testing.T) *io.PipeReader {
	from, to := io.Pipe()
	t.Cleanup(func() { to.Close() })
	go to.Write(make([]byte, 200))
	return from
}

// broken is a stream that fails.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error)  { return 0, b.err }
func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestTheStreamThatFailedIsNamed(t *testing.T) {
	reason := errors.New("the disk is full")
	codec := codecOf(t.Context(), realCompressor(t))
	if err := packAll(codec, broken{reason}, noise()); !errors.Is(err, reason) {
		t.Errorf("compress: %v", err)
	}
	if _, err := unpackAll(codec, broken{reason}); !errors.Is(err, reason) {
		t.Errorf("decompress: %v", err)
	}
}

// TestTheCompressorEndsWithItsContext: one that hangs is killed, wherever the
// other side waits.
func TestTheCompressorEndsWithItsContext(t *testing.T) {
	reason := errors.New("somebody pressed Ctrl-C")
	hangs := fakeCompressor(t, `exec sleep 1000`)
	for name, work := range map[string]func(archive.Codec) error{
		"writes":     func(c archive.Codec) error { return packAll(c, io.Discard, noise()) },
		"closes":     func(c archive.Codec) error { return packAll(c, io.Discard, nil) },
		"reads":      func(c archive.Codec) error { _, err := unpackAll(c, bytes.NewReader(noise())); return err },
		"is waiting": func(c archive.Codec) error { _, err := unpackAll(c, half(t)); return err },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
		if err := work(codecOf(ctx, hangs)); !errors.Is(err, reason) || !errors.Is(err, archive.ErrBrokenOff) {
			t.Errorf("%s: %v", name, err)
		}
	}
	packed, err := codecOf(t.Context(), hangs).Unpack(half(t))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := packed.Close(); err != nil || time.Since(begin) > time.Minute {
		t.Errorf("left in the middle: %v after %v", err, time.Since(begin))
	}
}
