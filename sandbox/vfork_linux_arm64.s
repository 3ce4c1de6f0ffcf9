#include "go_asm.h"
#include "textflag.h"

// func cloneOnto(b *birth) uintptr
//
// The child begins on a stack of its own and never comes back.
TEXT ·cloneOnto(SB),NOSPLIT|NOFRAME,$0-16
	MOVD	b+0(FP), R9
	MOVD	birth_flags(R9), R0
	MOVD	birth_stack(R9), R1
	MOVD	birth_entry(R9), R12
	MOVD	birth_memory(R9), R10
	MOVD	birth_orders(R9), R11
	ADD	$birth_born, R9, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	$220, R8	// SYS_clone
	SVC
	CBZ	R0, child
	MOVD	R0, ret+8(FP)
	RET
child:
	SUB	$32, RSP	// where it may keep its arguments
	MOVD	R10, R0
	MOVD	R11, R1
	CALL	(R12)
	BRK

// func vforkClone(number, first, second uintptr) uintptr
//
// The return address is in the link register throughout, of which parent and
// child each have their own copy.
TEXT ·vforkClone(SB),NOSPLIT|NOFRAME,$0-32
	MOVD	number+0(FP), R8
	MOVD	first+8(FP), R0
	MOVD	second+16(FP), R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	ZR, R5
	SVC
	MOVD	R0, ret+24(FP)
	RET
