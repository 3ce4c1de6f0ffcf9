#include "textflag.h"

#define PRCTL 167
#define PR_SET_TIMERSLACK 29
#define SLACK 1000000	// nanoseconds
#define RUN 0x006e7572	// "run" and its end

DATA oneProcessor<>+0(SB)/8, $"GOMAXPRO"
DATA oneProcessor<>+8(SB)/8, $"CS=01\000\000\000"
GLOBL oneProcessor<>(SB), RODATA|NOPTR, $16

// func entry()
//
// The stack is as the kernel has left it: the number of arguments, where they are and
// nothing, and where the variables are and nothing. All but the last nothing is moved down
// by two places, which the variable takes; an even number keeps the stack aligned.
TEXT ·entry(SB),NOSPLIT|NOFRAME,$0
	MOVD	0(RSP), R0
	CMP	$2, R0
	BLT	begin
	MOVD	16(RSP), R1
	MOVWU	(R1), R2
	MOVD	$RUN, R3
	CMPW	R3, R2
	BNE	begin
	MOVD	$PR_SET_TIMERSLACK, R0
	MOVD	$SLACK, R1
	MOVD	$PRCTL, R8
	SVC
	MOVD	RSP, R4
	MOVD	0(R4), R0
	ADD	R0<<3, R4, R5
	ADD	$16, R5
search:
	MOVD.P	8(R5), R6
	CBNZ	R6, search
	SUB	$8, R5
	SUB	$16, R4, R7
	MOVD	R7, RSP
move:
	MOVD.P	8(R4), R6
	MOVD.P	R6, 8(R7)
	CMP	R5, R4
	BLT	move
	MOVD	$oneProcessor<>(SB), R6
	MOVD	R6, 0(R7)
	MOVD	R6, 8(R7)
begin:
	JMP	_rt0_arm64_linux(SB)
