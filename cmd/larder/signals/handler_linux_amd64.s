#include "textflag.h"

#define WRITE 1
#define RT_SIGRETURN 15

// The end of the pipe. A handler is given nothing but the signal.
GLOBL pipe<>(SB), NOPTR, $8

// func setPipe(descriptor int32)
TEXT ·setPipe(SB),NOSPLIT,$0-4
	MOVL	descriptor+0(FP), AX
	MOVL	AX, pipe<>(SB)
	RET

// func entries() (handler, restorer uintptr)
TEXT ·entries(SB),NOSPLIT,$0-16
	LEAQ	handler<>(SB), AX
	MOVQ	AX, handler+0(FP)
	LEAQ	restorer<>(SB), AX
	MOVQ	AX, restorer+8(FP)
	RET

// The signal is in the first register of C's calls. The kernel has saved them all.
TEXT handler<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SUBQ	$24, SP
	MOVL	DI, 0(SP)
	MOVL	pipe<>(SB), DI
	MOVQ	SP, SI
	MOVQ	$4, DX
	MOVQ	$WRITE, AX
	SYSCALL
	ADDQ	$24, SP
	RET

TEXT restorer<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	$RT_SIGRETURN, AX
	SYSCALL
	INT	$3
