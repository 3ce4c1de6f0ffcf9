package action

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "4096B": 4096, "1k": 1024, "500K": 500 << 10, "1.5G": 3 << 29, "2GiB": 2 << 30, "10 MiB": 10 << 20, "1T": 1 << 40,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "-1", "1X", "1KM", "1e30", "nan", "inf", "0x10G1", "9E"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d, and no error", text, got)
		}
	}
}

func TestSizesOfAnyKindAreReadOrRefused(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringMatching(`[0-9.ekKMGTPEiB -]{0,8}`).Draw(r, "text")
		if bytes, err := ParseSize(text); err != nil && bytes != 0 || bytes < 0 {
			r.Fatalf("%q is %d, %v", text, bytes, err)
		}
	})
}

func TestLimitsOfASpec(t *testing.T) {
	spec := minimal()
	spec.Memory, spec.Pids, spec.CPUTime, spec.OutputLimit = "512M", 40, "1m30s", "2GiB"
	wanted, err := spec.Validate("/")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Limits{Memory: 512 << 20, Pids: 40, CPUTime: 90e9, Output: 2 << 30}); wanted.Limits != want {
		t.Errorf("got %+v, want %+v", wanted.Limits, want)
	}
}
