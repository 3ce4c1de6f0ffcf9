package main

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCutNameIsThePattern holds cutName against a regular expression that says the
// same, over texts made of the pieces that matter to either.
func TestCutNameIsThePattern(t *testing.T) {
	pattern := regexp.MustCompile(`^(?:((?s:.*?))=)?[0-9a-f]{64}/[0-9]+(?::|$)`)
	hash := strings.Repeat("0f", 32)
	pieces := []string{"=", ":", "/", "a", "7", "\n", "é", hash, hash[1:], strings.ToUpper(hash), hash + "/12", "=" + hash + "/0:", "name=" + hash + "/3"}
	named, bare := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, "text"), "")
		name, given := text, text
		if found := pattern.FindStringSubmatchIndex(text); found != nil && found[2] >= 0 {
			name, given = text[:found[3]], text[found[3]+1:]
			if name == "" {
				name = given
			}
			named++
		} else {
			bare++
		}
		if gotName, gotGiven := cutName(text); gotName != name || gotGiven != given {
			t.Fatalf("cutName(%q) = %q, %q; want %q, %q", text, gotName, gotGiven, name, given)
		}
	})
	if named == 0 || bare == 0 {
		t.Errorf("%d texts with a name, %d without: one kind was not tried", named, bare)
	}
}
