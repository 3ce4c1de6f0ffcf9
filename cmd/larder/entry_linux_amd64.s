#include "textflag.h"

#define PRCTL 157
#define PR_SET_TIMERSLACK 29
#define SLACK 1000000	// nanoseconds
#define ACCESS 21
#define R_OK 4
#define SCHED_SETAFFINITY 203
#define SCHED_GETAFFINITY 204
#define GETCPU 309
#define SET 128	// bytes, see processorSet
#define RUN 0x006e7572	// "run" and its end

DATA threads<>+0(SB)/8, $"/proc/se"
DATA threads<>+8(SB)/8, $"lf/task\000"
GLOBL threads<>(SB), RODATA|NOPTR, $16
GLOBL processor<>(SB), NOPTR, $4

// func entry()
//
// The stack is as the kernel has left it, and stays so: the number of arguments, and where
// they are. No other register means anything at the beginning of a Go program.
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
	LEAQ	threads<>(SB), DI
	MOVQ	$R_OK, SI
	MOVQ	$ACCESS, AX
	SYSCALL
	TESTQ	AX, AX
	JNZ	begin
	XORL	DI, DI
	MOVQ	$SET, SI
	LEAQ	·everywhere(SB), DX
	MOVQ	$SCHED_GETAFFINITY, AX
	SYSCALL
	TESTQ	AX, AX
	JLE	begin
	LEAQ	processor<>(SB), DI
	XORL	SI, SI
	XORL	DX, DX
	MOVQ	$GETCPU, AX
	SYSCALL
	MOVL	processor<>(SB), AX
	CMPL	AX, $(8*SET)
	JAE	begin
	LEAQ	·here(SB), DX
	BTSQ	AX, (DX)
	XORL	DI, DI
	MOVQ	$SET, SI
	MOVQ	$SCHED_SETAFFINITY, AX
	SYSCALL
begin:
	JMP	_rt0_amd64_linux(SB)
