#include "textflag.h"

#define WRITE 64

// The end of the pipe. A handler is given nothing but the signal.
GLOBL pipe<>(SB), NOPTR, $8

// func setPipe(descriptor int32)
TEXT ·setPipe(SB),NOSPLIT,$0-4
	MOVW	descriptor+0(FP), R0
	MOVW	R0, pipe<>(SB)
	RET

// func entries() (handler, restorer uintptr)
TEXT ·entries(SB),NOSPLIT,$0-16
	MOVD	$handler<>(SB), R0
	MOVD	R0, handler+0(FP)
	MOVD	ZR, restorer+8(FP)
	RET

// The signal is in the first register of C's calls. The kernel has saved them all, and
// the link register leads to where it takes them back.
TEXT handler<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SUB	$16, RSP
	MOVW	R0, 0(RSP)
	MOVW	pipe<>(SB), R0
	MOVD	RSP, R1
	MOVD	$4, R2
	MOVD	$WRITE, R8
	SVC
	ADD	$16, RSP
	RET
