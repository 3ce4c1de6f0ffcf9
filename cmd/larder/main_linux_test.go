package main

import "os"

// instead does what the test binary was started for in the place of tests, and
// reports whether there was anything.
func instead() bool {
	note := os.Getenv(noteVariable)
	isWanted := note != "" && len(os.Args) > 2 && os.Args[2] == "tend"
	if isWanted {
		writeNote(note)
	}
	return isWanted
}

// addPrograms adds what else the test binary can be, by its name.
func addPrograms(programs map[string]func()) { programs[injected] = becomeInjected }
