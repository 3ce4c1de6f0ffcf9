#include "textflag.h"

// func cloneOnto(flags, stack uintptr, m *memory, o *orders) uintptr
//
// The child begins on a stack of its own and never comes back.
TEXT ·cloneOnto(SB),NOSPLIT|NOFRAME,$0-40
	MOVQ	flags+0(FP), DI
	MOVQ	stack+8(FP), SI
	MOVQ	m+16(FP), R12
	MOVQ	o+24(FP), R13
	MOVQ	$0, DX
	MOVQ	$0, R10
	MOVQ	$0, R8
	MOVQ	$0, R9
	MOVQ	$56, AX	// SYS_clone
	SYSCALL
	TESTQ	AX, AX
	JZ	child
	MOVQ	AX, ret+32(FP)
	RET
child:
	SUBQ	$16, SP
	MOVQ	R12, 0(SP)
	MOVQ	R13, 8(SP)
	CALL	·processOne(SB)
	INT	$3

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
