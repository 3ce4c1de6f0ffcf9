//go:build !linux

package named_test

import "testing"

func fullDisk(testing.TB, string) int { panic("a full disk is made on Linux only") }
