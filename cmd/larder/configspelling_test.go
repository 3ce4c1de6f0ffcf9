package main

import "testing"

// TestKeysCountByTheLetter: what is a key in another case only is none, wherever it
// stands; names that the user chooses, and variables, have any case.
func TestKeysCountByTheLetter(t *testing.T) {
	for text, want := range map[string]misspelling{
		"Store = \"x\"":                                                   {1, "Store", "store"},
		"# one\n\nstore = 'a'\nSTORE = 'b'":                               {4, "STORE", "store"},
		"[Cache.c]\npath = 'p'":                                           {1, "Cache", "cache"},
		"[cache.c]\nkeep = 1\n\"Path\" = 'p'":                             {3, "cache.c.Path", "path"},
		"cache.c.On-Conflict = 'merge'":                                   {1, "cache.c.On-Conflict", "on-conflict"},
		"cache = {C = {path = 'p'}, d = {keep = 1, Lock = true}}":         {1, "cache.d.Lock", "lock"},
		"[preset.x]\nsummary = 's'\n[preset.x.cache.c]\nMODE = 'mutable'": {4, "preset.x.cache.c.MODE", "mode"},
	} {
		if got := findMisspelling([]byte(text)); got == nil || *got != want {
			t.Errorf("%s: found %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{
		"", "# only a word", "store = 'x'\n[cache.Store]\npath = 'p'\n[preset.X.env]\nPath = 'p'\nSTORE = 's'",
		"[preset.x]\nenv = {Mode = 'm'}\ninputs = ['A', 'a']\n[preset.x.cache.Cache]\nmode = 'mutable'",
	} {
		if got := findMisspelling([]byte(text)); got != nil {
			t.Errorf("%s: found %+v", text, got)
		}
	}
}
