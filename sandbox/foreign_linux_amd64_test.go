package sandbox

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// foreign is a program that makes a system call in the convention of 32-bit
// programs, and one in that of x32, both of them getpid. It ends with 1 when
// one of the two gave a number, and with 0 when the kernel refused them.
func foreign() []byte {
	code := []byte{
		0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x85, 0xc0, 0x7f, 20, // eax = 20; int 0x80; if eax > 0, on to the end
		0xb8, 39, 0, 0, 0x40, 0x0f, 0x05, 0x85, 0xc0, 0x7f, 9, // eax = x32 39; syscall; the same
		0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05, // exit(0)
		0xbf, 1, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05, // exit(1)
	}
	const base, headers = 0x400000, 64 + 56
	order := binary.LittleEndian
	file := make([]byte, headers, headers+len(code))
	copy(file, "\x7fELF\x02\x01\x01")
	for _, field := range []struct{ at, size, value int }{
		{16, 2, 2}, {18, 2, 62}, {20, 4, 1}, {24, 8, base + headers}, {32, 8, 64}, {52, 2, 64}, {54, 2, 56}, {56, 2, 1},
		{64, 4, 1}, {68, 4, 5}, {80, 8, base}, {88, 8, base}, {96, 8, headers + len(code)}, {104, 8, headers + len(code)}, {112, 8, 4096},
	} {
		value := order.AppendUint64(nil, uint64(field.value))
		copy(file[field.at:], value[:field.size])
	}
	return append(file, code...)
}

// TestSystemCallsOfOtherConventions: their numbers mean something else, so the
// filter could be got round by them.
func TestSystemCallsOfOtherConventions(t *testing.T) {
	requireSandbox(t)
	program := filepath.Join(t.TempDir(), "foreign")
	if err := os.WriteFile(program, foreign(), 0o755); err != nil {
		t.Fatal(err)
	}
	outside := exec.Command(program)
	_ = outside.Run()
	if code := outside.ProcessState.ExitCode(); code != 1 {
		t.Skipf("the kernel has neither convention: %v", outside.ProcessState)
	}
	r := shell(t, "exec /foreign", func(cfg *Config) { cfg.Binds = []Bind{{Source: program, Target: "/foreign"}} })
	if r.err != nil || r.ExitCode != 0 && r.Signal != syscall.SIGSEGV {
		t.Errorf("got %+v, %v: a system call of another convention was made", r.Status, r.err)
	}
}
