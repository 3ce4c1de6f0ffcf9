#include "textflag.h"

// func vforkClone(flags uintptr) uintptr
//
// The return address is in the link register throughout, of which parent and
// child each have their own copy.
TEXT ·vforkClone(SB),NOSPLIT|NOFRAME,$0-16
	MOVD	flags+0(FP), R0
	MOVD	ZR, R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	ZR, R5
	MOVD	$220, R8
	SVC
	MOVD	R0, ret+8(FP)
	RET
