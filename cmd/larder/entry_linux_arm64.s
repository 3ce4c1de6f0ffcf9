#include "textflag.h"

#define PRCTL 167
#define PR_SET_TIMERSLACK 29
#define SLACK 1000000	// nanoseconds
#define RUN 0x006e7572	// "run" and its end

// func entry()
//
// The stack is as the kernel has left it: the number of arguments, and where they are.
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
begin:
	JMP	_rt0_arm64_linux(SB)
