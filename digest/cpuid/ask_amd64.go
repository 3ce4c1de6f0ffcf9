package cpuid

// ask is in assembly, as there is no other way to say CPUID.
func ask() (avx2, sse41 bool)
