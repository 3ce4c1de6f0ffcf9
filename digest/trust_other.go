//go:build !linux

package digest

// trustsListings trusts none: each directory is read each time.
func trustsListings(int) (device uint64, trusted bool) { return 0, false }
