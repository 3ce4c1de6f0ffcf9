package local

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
)

// brokenPipe takes so many bytes and fails from then on.
type brokenPipe struct {
	room  int
	cause error
}

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, b.cause
	}
	return len(p), nil
}

func TestTeeEndsWhenNobodyTakesTheOutput(t *testing.T) {
	const piece, whole = 1 << 20, 2 * mostUnread
	for name, c := range map[string]struct {
		kept, user brokenPipe
		want       int // bytes
		reason     error
	}{
		"all is taken":                          {brokenPipe{whole, nil}, brokenPipe{whole, nil}, whole, nil},
		"the store is full":                     {brokenPipe{piece, syscall.ENOSPC}, brokenPipe{whole, nil}, whole, syscall.ENOSPC},
		"the disk of the user is full":          {brokenPipe{whole, nil}, brokenPipe{piece, syscall.ENOSPC}, whole, nil},
		"both are full":                         {brokenPipe{2 * piece, syscall.ENOSPC}, brokenPipe{piece, syscall.ENOSPC}, 2 * piece, syscall.ENOSPC},
		"the reader went away":                  {brokenPipe{whole, nil}, brokenPipe{piece, syscall.EPIPE}, piece + mostUnread, errUnread},
		"the reader went away, the store full":  {brokenPipe{2 * piece, syscall.ENOSPC}, brokenPipe{piece, syscall.EPIPE}, 2 * piece, syscall.ENOSPC},
		"the store full, the reader went away":  {brokenPipe{piece, syscall.ENOSPC}, brokenPipe{2 * piece, syscall.EPIPE}, 2 * piece, syscall.ENOSPC},
		"the reader went away close to the end": {brokenPipe{whole, nil}, brokenPipe{whole - mostUnread, syscall.EPIPE}, whole, nil},
	} {
		dropped := 0
		both := &tee{kept: faint{w: &c.kept, drop: func() { dropped++ }}, user: faint{w: &c.user}}
		taken, err := 0, error(nil)
		for data := bytes.Repeat([]byte("x"), piece); err == nil && taken < whole; {
			if _, err = both.Write(data); err == nil {
				taken += len(data)
			}
		}
		if taken != c.want || (taken < whole) != (err != nil) || err != nil && !errors.Is(err, c.reason) || !errors.Is(both.kept.failure, c.reason) {
			t.Errorf("%s: ended after %d bytes, not %d, with %v and %v", name, taken, c.want, err, both.kept.failure)
		}
		if want := map[bool]int{true: 1}[c.reason != nil]; dropped != want {
			t.Errorf("%s: what was kept was given up %d times, not %d", name, dropped, want)
		}
	}
}

// What a limit lets through is kept, however much the command wanted to print.
func TestTeeKeepsWhatALimitAdmits(t *testing.T) {
	var kept bytes.Buffer
	both := &tee{kept: faint{w: &kept}, user: faint{w: &brokenPipe{0, syscall.EPIPE}}, quota: newQuota(1000)}
	for data := make([]byte, 1<<20); both.quota.printed.Load() < 2*mostUnread; {
		if _, err := both.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if kept.Len() != 1000 {
		t.Errorf("%d bytes are kept of 1000", kept.Len())
	}
}
