#include "textflag.h"

// Where the answers are: Intel 64 and IA-32 Architectures Software Developer's
// Manual, volume 2, CPUID and XGETBV; the order of the questions for AVX2 is that of
// volume 1, section 14.7.1.
#define SSE41 $19   // leaf 1, ECX
#define OSXSAVE $27 // leaf 1, ECX: XGETBV may be used
#define AVX2 $5     // leaf 7, EBX
#define VECTORS 6   // XCR0: the operating system keeps XMM and YMM

// func ask() (avx2, sse41 bool)
TEXT ·ask(SB), NOSPLIT, $0-2
	MOVB  $0, avx2+0(FP)
	MOVB  $0, sse41+1(FP)
	XORL  AX, AX
	XORL  CX, CX
	CPUID
	MOVL  AX, SI          // the last leaf
	CMPL  SI, $1
	JB    done
	MOVL  $1, AX
	XORL  CX, CX
	CPUID
	BTL   SSE41, CX
	SETCS sse41+1(FP)
	BTL   OSXSAVE, CX
	JCC   done
	CMPL  SI, $7
	JB    done
	XORL  CX, CX
	XGETBV
	ANDL  $VECTORS, AX
	CMPL  AX, $VECTORS
	JNE   done
	MOVL  $7, AX
	XORL  CX, CX
	CPUID
	BTL   AVX2, BX
	SETCS avx2+0(FP)
done:
	RET
