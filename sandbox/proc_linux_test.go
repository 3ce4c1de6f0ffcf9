//go:build amd64 || arm64

package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Of a made-up /proc, what belongs to the machine is sealed: all folders that
// are no process, and files that somebody may write to.
func TestSealFindsWhatIsTheMachines(t *testing.T) {
	proc := t.TempDir()
	for name, mode := range map[string]os.FileMode{"sys": os.ModeDir | 0o555, "1": os.ModeDir | 0o555, "sysrq-trigger": 0o200, "uptime": 0o444} {
		path, err := filepath.Join(proc, name), error(nil)
		if mode.IsDir() {
			err = os.Mkdir(path, mode.Perm())
		} else {
			err = os.WriteFile(path, nil, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("1", filepath.Join(proc, "self")); err != nil {
		t.Fatal(err)
	}
	f := facts{sources: map[string]source{}}
	f.seal(proc)
	if want := []string{filepath.Join(proc, "sys"), filepath.Join(proc, "sysrq-trigger")}; !slices.Equal(f.sealed, want) {
		t.Errorf("sealed %v, want %v", f.sealed, want)
	}
	if f.sources[filepath.Join(proc, "sys")].isFile || !f.sources[filepath.Join(proc, "sysrq-trigger")].isFile {
		t.Errorf("sources are %v", f.sources)
	}
}

// Every file of the machine in /proc that its mode lets the user write to is
// read-only, where processes may write to their own. ns_last_pid is open to all by
// its mode, belongs to the sandbox's own pid namespace, and asks for a capability.
func TestProcWithUserNamespacesIsWritableForProcessesOnly(t *testing.T) {
	requireSandbox(t)
	script := `test -w /proc/self/uid_map && echo own
for file in /proc/[!0-9]* /proc/sys/kernel/*; do
	case $file in /proc/sys/kernel/ns_last_pid|/proc/self|/proc/thread-self|/proc/mounts|/proc/net) continue;; esac
	if test -w $file && ! test -c $file; then echo open $file; fi
done; true`
	shell(t, script, func(cfg *Config) { cfg.AllowUserns = true }).want(t, 0, "own")
	shell(t, script).want(t, 0, "")
}

// What tells of keys and of others is empty, whoever runs the sandbox; what
// programs look at is there.
func TestProcIsMasked(t *testing.T) {
	requireSandbox(t)
	shell(t, `for file in keys timer_list latency_stats sched_debug kcore kmsg; do
	head -c 10 /proc/$file 2>/dev/null
done; grep -c MemTotal: /proc/meminfo`).want(t, 0, "1")
	nested := shell(t, "unshare -Urmpf mount -t proc proc /proc", func(cfg *Config) { cfg.AllowUserns = true })
	if os.Geteuid() != 0 && nested.ExitCode != 0 && !strings.Contains(nested.out, "not found") {
		t.Errorf("a /proc in a namespace of its own: %d, %q", nested.ExitCode, nested.out)
	}
}
