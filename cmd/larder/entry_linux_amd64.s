#include "textflag.h"

#define PRCTL 157
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
	CMPQ	0(SP), $2
	JLT	begin
	MOVQ	16(SP), AX
	CMPL	(AX), $RUN
	JNE	begin
	MOVQ	$PR_SET_TIMERSLACK, DI
	MOVQ	$SLACK, SI
	MOVQ	$PRCTL, AX
	SYSCALL
	MOVQ	SP, SI
	MOVQ	0(SI), CX
	LEAQ	16(SI)(CX*8), AX
search:
	MOVQ	(AX), DX
	ADDQ	$8, AX
	TESTQ	DX, DX
	JNZ	search
	LEAQ	-8(AX), CX
	SUBQ	SI, CX
	SHRQ	$3, CX
	SUBQ	$16, SP
	MOVQ	SP, DI
	CLD
	REP; MOVSQ
	LEAQ	oneProcessor<>(SB), AX
	MOVQ	AX, 0(DI)
	MOVQ	AX, 8(DI)
	MOVQ	$0, DX
begin:
	JMP	_rt0_amd64_linux(SB)
