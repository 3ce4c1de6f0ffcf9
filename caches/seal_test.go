package caches

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestSealNoticesEachChangedBit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		line := []byte(rapid.StringMatching(`[ -~]{1,60}`).Draw(r, "line"))
		sealed := Seal(line)
		if got, err := Unseal(sealed); err != nil || !bytes.Equal(got, line) {
			r.Fatalf("%q became %q, %v", line, got, err)
		}
		bit := rapid.IntRange(0, 8*len(sealed)-1).Draw(r, "bit")
		sealed[bit/8] ^= 1 << (bit % 8)
		if got, err := Unseal(sealed); !errors.Is(err, ErrSeal) && bytes.Equal(got, line) {
			r.Fatalf("bit %d was changed in %q: not noticed", bit, sealed)
		}
	})
}

func TestWhatHasNoSealIsTakenAsItIs(t *testing.T) {
	for _, text := range []string{"{}", "{}\n"} {
		if got, err := Unseal([]byte(text)); err != nil || string(got) != "{}" {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
