//go:build !amd64

package cpuid

func ask() (avx2, sse41 bool) { return false, false }
