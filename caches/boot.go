package caches

import (
	"os"
	"strings"
)

// BootID names this boot of the machine: what a file system has not written down
// is lost with it. It is "" where the kernel does not say.
func BootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text))
}

// SameBoot reports whether what was written under one boot can still be as it
// was written under the other. A boot that is not known counts as the same: a
// machine that cannot tell must be able to use its caches.
func SameBoot(a, b string) bool { return a == b || a == "" || b == "" }
