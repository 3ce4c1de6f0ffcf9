package caches

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesAreThoseOfTheirPattern(t *testing.T) {
	pattern := regexp.MustCompile(`\A[a-z0-9][a-z0-9_.-]{0,63}\z`)
	texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9_.-]{0,70}`), rapid.StringMatching(`[a-zA-Z0-9_./-]{1,4}`))
	rapid.Check(t, func(r *rapid.T) {
		text := texts.Draw(r, "text")
		name, err := ParseName(text)
		switch {
		case (err == nil) != pattern.MatchString(text):
			r.Fatalf("%q: %v", text, err)
		case err == nil && name.String() != text:
			r.Fatalf("%q became %q", text, name)
		case err != nil && !errors.Is(err, ErrInvalid):
			r.Fatalf("%v is not marked as invalid", err)
		}
	})
}

func TestNamesAtTheirLimits(t *testing.T) {
	for _, good := range []string{"a", "0", "a.b", "x86_64-gcc", "a..", strings.Repeat("a", 64)} {
		if _, err := ParseName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "-a", "_a", "A", "a/b", "a b", "ä", "a\n", "a\x00", strings.Repeat("a", 65)} {
		if _, err := ParseName(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v; want it refused", bad, err)
		}
	}
}

func TestModesRoundTrip(t *testing.T) {
	for _, mode := range []Mode{AppendOnly, Mutable} {
		if got, err := ParseMode(mode.String()); err != nil || got != mode {
			t.Errorf("%s: got %v, %v", mode, got, err)
		}
	}
	for _, bad := range []string{"", "unknown", "Mutable", "append"} {
		if _, err := ParseMode(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v; want it refused", bad, err)
		}
	}
}

func TestConflictPoliciesRoundTrip(t *testing.T) {
	for _, policy := range []ConflictPolicy{ConflictMerge, ConflictReplace, ConflictDiscard} {
		if got, err := ParseConflict(policy.String()); err != nil || got != policy {
			t.Errorf("%s: got %v, %v", policy, got, err)
		}
	}
	if _, err := ParseConflict("panic"); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v; want it refused", err)
	}
}

func TestPublishPolicies(t *testing.T) {
	for _, c := range []struct {
		text, spelled   string
		allow, declared []int
	}{
		{"always", "always", []int{0, 1, 2, 137, 255}, nil},
		{"never", "never", nil, nil},
		{"0", "0", []int{0}, []int{0}},
		{"1,0,1", "0,1", []int{0, 1}, []int{0, 1}},
		{"10,2", "2,10", []int{2, 10}, []int{2, 10}},
	} {
		policy, err := ParsePublish(c.text)
		if err != nil || policy.String() != c.spelled {
			t.Errorf("%s: got %s, %v; want %s", c.text, policy, err, c.spelled)
		}
		for _, code := range []int{-1, 0, 1, 2, 10, 137, 255} {
			if got, want := policy.Allows(code), slices.Contains(c.allow, code) || c.text == "always"; got != want {
				t.Errorf("%s allows %d: %v, want %v", c.text, code, got, want)
			}
			if got, want := policy.Declares(code), slices.Contains(c.declared, code); got != want {
				t.Errorf("%s declares %d: %v, want %v", c.text, code, got, want)
			}
		}
	}
	if zero := (PublishPolicy{}); zero.Allows(0) || DefaultPublish().String() != "0" {
		t.Error("the zero policy publishes, or the default one does not after 0")
	}
	for _, bad := range []string{"", "x", "0,", ",0", "-1", "256", "0 ,1", "always,0", "0x1"} {
		if _, err := ParsePublish(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v; want it refused", bad, err)
		}
	}
}

// FuzzParsePublish: the spelling of a policy is read as the same policy.
func FuzzParsePublish(f *testing.F) {
	for _, seed := range []string{"always", "never", "0,1", "+1", "00,0", "1,,2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		policy, err := ParsePublish(text)
		if err != nil {
			return
		}
		if again, err := ParsePublish(policy.String()); err != nil || again != policy {
			t.Fatalf("%q is spelled %q, which is read as %v, %v", text, policy, again, err)
		}
	})
}
