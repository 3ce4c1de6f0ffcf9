#include "textflag.h"

// func vforkClone(flags uintptr) uintptr
//
// The child uses the stack before the parent does, so the return address must
// not be on it while both run: it waits in a register, which each has its own
// copy of.
TEXT ·vforkClone(SB),NOSPLIT|NOFRAME,$0-16
	MOVQ	flags+0(FP), DI
	MOVQ	$0, SI
	MOVQ	$0, DX
	MOVQ	$0, R10
	MOVQ	$0, R8
	MOVQ	$0, R9
	MOVQ	$56, AX
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	MOVQ	AX, ret+8(FP)
	RET
