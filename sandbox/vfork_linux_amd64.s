#include "textflag.h"

// func vforkClone(number, first, second uintptr) uintptr
//
// The child uses the stack before the parent does, so the return address must
// not be on it while both run: it waits in a register, which each has its own
// copy of.
TEXT ·vforkClone(SB),NOSPLIT|NOFRAME,$0-32
	MOVQ	number+0(FP), AX
	MOVQ	first+8(FP), DI
	MOVQ	second+16(FP), SI
	MOVQ	$0, DX
	MOVQ	$0, R10
	MOVQ	$0, R8
	MOVQ	$0, R9
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	MOVQ	AX, ret+24(FP)
	RET
