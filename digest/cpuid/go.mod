module github.com/klauspost/cpuid/v2

go 1.26

require golang.org/x/sys v0.40.0
