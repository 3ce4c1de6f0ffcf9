// Package cpuid answers the two questions that the BLAKE3 library asks of the
// processor. It is a module of its own that takes the place of
// github.com/klauspost/cpuid/v2, which go.mod replaces by it: that one finds out
// everything about the processor before main, with dozens of CPUID instructions.
// In a virtual machine each of them is a way out to the host, so together they
// took every start of larder a third of a millisecond. This one asks three times.
//
// Only what github.com/zeebo/blake3 uses is here: a version of it that asks more
// does not build, and then the answer belongs here too.
package cpuid

// Feature is something that a processor can have.
type Feature int

// The features that can be asked for. Each is a feature of amd64; no other
// processor has any.
const (
	// AVX2 is vectors of 256 bits for integers. It counts only where the operating
	// system keeps them over a change of process.
	AVX2 Feature = iota
	// SSE4 is SSE 4.1.
	SSE4
)

// Processor stands for a processor.
type Processor int

// CPU is the one that this process runs on. Nothing is asked when it is used: the
// answers are there from the start of the process, for any goroutine.
const CPU Processor = 0

var hasAVX2, hasSSE41 = ask()

// Has reports whether the processor has a feature and the operating system lets
// processes use it. It does not fail.
func (Processor) Has(wanted Feature) bool {
	switch wanted {
	case AVX2:
		return hasAVX2
	case SSE4:
		return hasSSE41
	}
	return false
}
