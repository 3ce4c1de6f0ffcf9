#include "textflag.h"

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
