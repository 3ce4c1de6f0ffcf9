#include "textflag.h"

#define PRCTL 167
#define PR_SET_TIMERSLACK 29
#define SLACK 1000000	// nanoseconds
#define FACCESSAT 48
#define AT_FDCWD -100
#define R_OK 4
#define SCHED_SETAFFINITY 122
#define SCHED_GETAFFINITY 123
#define GETCPU 168
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
	MOVD	$AT_FDCWD, R0
	MOVD	$threads<>(SB), R1
	MOVD	$R_OK, R2
	MOVD	$FACCESSAT, R8
	SVC
	CBNZ	R0, begin
	MOVD	$0, R0
	MOVD	$SET, R1
	MOVD	$·everywhere(SB), R2
	MOVD	$SCHED_GETAFFINITY, R8
	SVC
	CMP	$0, R0
	BLE	begin
	MOVD	$processor<>(SB), R0
	MOVD	$0, R1
	MOVD	$0, R2
	MOVD	$GETCPU, R8
	SVC
	MOVWU	processor<>(SB), R3
	CMP	$(8*SET), R3
	BHS	begin
	MOVD	$·here(SB), R2
	LSR	$6, R3, R4	// the word
	MOVD	$1, R5
	LSL	R3, R5, R5	// the bit: a shift is by the number modulo 64
	MOVD	R5, (R2)(R4<<3)
	MOVD	$0, R0
	MOVD	$SET, R1
	MOVD	$SCHED_SETAFFINITY, R8
	SVC
begin:
	JMP	_rt0_arm64_linux(SB)
