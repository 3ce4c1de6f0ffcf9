#include "go_asm.h"
#include "textflag.h"

// func cloneOnto(b *birth) uintptr
//
// The child begins on a stack of its own and never comes back.
TEXT ·cloneOnto(SB),NOSPLIT|NOFRAME,$0-16
	MOVQ	b+0(FP), AX
	MOVQ	birth_flags(AX), DI
	MOVQ	birth_stack(AX), SI
	MOVQ	birth_entry(AX), BX
	MOVQ	birth_memory(AX), R12
	MOVQ	birth_orders(AX), R13
	LEAQ	birth_born(AX), DX
	MOVQ	$0, R10
	MOVQ	$0, R8
	MOVQ	$0, R9
	MOVQ	$56, AX	// SYS_clone
	SYSCALL
	TESTQ	AX, AX
	JZ	child
	MOVQ	AX, ret+8(FP)
	RET
child:
	SUBQ	$16, SP	// where it may keep its arguments
	MOVQ	BX, CX
	MOVQ	R12, AX
	MOVQ	R13, BX
	XORPS	X15, X15
	MOVQ	(TLS), R14
	CALL	CX
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
