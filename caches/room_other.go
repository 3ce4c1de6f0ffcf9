//go:build !linux

package caches

// CheckRoom looks at nothing here.
func CheckRoom(string) error { return nil }
