//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// whose prints which network and user namespaces a process is in.
const whose = "readlink /proc/self/ns/net /proc/self/ns/user; "

// keeps waits until so many keepers wait for a sandbox, and none is about to.
func keeps(t testing.TB, p *Pool, count int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d keepers wait", count), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reap()
		return len(p.keepers) == count && len(p.leaving) == 0 && p.making == 0
	})
}

// alonePool makes a pool in which nothing is begun ahead, so that what serves is known.
func alonePool(t testing.TB) *Pool {
	p := NewPool(Config{}, SystemView, 0)
	t.Cleanup(p.Close)
	return p
}

func TestKeeperServesOneAfterTheOther(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	first := fromPool(t, p, whose+"true")
	for range 5 {
		keeps(t, p, 1)
		if r := fromPool(t, p, whose+"exit 3"); r.ExitCode != 3 || r.out != first.out {
			t.Errorf("another one: %+v, %q, not %q", r.Status, r.out, first.out)
		}
	}
}

// What one sandbox can leave in a network namespace, the next one does not find.
func TestKeeperIsNotUsedAgain(t *testing.T) {
	requireSandbox(t)
	for name, script := range map[string]string{
		"after a packet to itself":      `echo x >/dev/udp/127.0.0.1/9`,
		"after one by the next version": `echo x >/dev/udp/::1/9`,
		"after a refused connection":    `! : 2>/dev/null </dev/tcp/127.0.0.1/9`,
	} {
		t.Run(name, func(t *testing.T) {
			p := alonePool(t)
			var before string
			bash := func(cfg *Config) { cfg.Args[0] = "bash" }
			for range 3 {
				r := fromPool(t, p, whose+script, bash)
				if r.ExitCode != 0 || r.err != nil || r.out == before {
					t.Errorf("%+v, %v: %q after %q", r.Status, r.err, r.out, before)
				}
				before = r.out
				keeps(t, p, 1)
			}
		})
	}
}

// A socket that is there is seen, whoever has it.
func TestTraceSeesASocket(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	fromPool(t, p, "true").want(t, 0, "")
	keeps(t, p, 1)
	p.mu.Lock()
	k := p.keepers[0]
	p.mu.Unlock()
	if fresh := newTrace(k.box.pid); !fresh.isNone() {
		t.Fatalf("a sandbox that did nothing left %q", fresh.silence)
	}
	a, err := p.Start(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pid, ended := make(chan int, 1), make(chan error, 1)
	go func() {
		_, err := a.Run(t.Context(), Config{
			Args: []string{program}, Env: []string{helperMode + "=hold"}, Stdout: writer,
			Binds: []Bind{{Source: program, Target: program}}, Began: func(id int) { pid <- id },
		})
		ended <- errors.Join(err, writer.Close())
	}()
	if _, err := reader.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	now := newTrace(k.box.pid) // that of the keeper is for whoever begins a sandbox
	defer now.close()
	if now.isNone() {
		t.Errorf("a socket that is there is not seen: %q", now.silence)
	}
	if err := syscall.Kill(<-pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	<-ended
}

// holdSocket is a helper that has a socket, says so, and waits for its end.
func holdSocket([]string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		fmt.Println("held", fd)
		_, err = unix.Poll(nil, -1)
	}
	return err
}

func TestKeepersAreNotShared(t *testing.T) {
	requireSandbox(t)
	p := NewPool(Config{}, SystemView, 3)
	defer p.Close()
	for range 4 {
		const users = 3
		var all, begun sync.WaitGroup
		begun.Add(users)
		var seen [users]string
		for i := range users {
			all.Go(func() {
				reader, writer, err := os.Pipe()
				if err != nil {
					panic(err)
				}
				defer reader.Close()
				until := func(int) {
					begun.Done()
					go func() { begun.Wait(); writer.Close() }()
				}
				seen[i] = fromPool(t, p, whose+"cat", func(cfg *Config) { cfg.Stdin, cfg.Began = reader, until }).out
			})
		}
		all.Wait()
		slices.Sort(seen[:])
		if len(slices.Compact(seen[:])) != users || seen[0] == "" {
			t.Fatalf("at the same time: %q", seen)
		}
	}
}

// Whoever ends a keeper costs the next sandbox nothing but time.
func TestKeeperThatWasKilled(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	first := fromPool(t, p, whose+"true")
	keeps(t, p, 1)
	p.mu.Lock()
	pid := p.keepers[0].box.pid
	p.mu.Unlock()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := fromPool(t, p, whose+"true"); r.err != nil || r.ExitCode != 0 || r.out == first.out {
		t.Errorf("after the keeper was killed: %+v, %v, %q", r.Status, r.err, r.out)
	}
	p.Close()
	childless(t)
}

// Whoever stops a keeper holds up one sandbox, and not for ever.
func TestKeeperThatWasStopped(t *testing.T) {
	requireSandbox(t)
	if testing.Short() {
		t.Skip("it takes as long as a keeper may take to answer")
	}
	t.Parallel()
	p := alonePool(t)
	first := fromPool(t, p, whose+"true")
	keeps(t, p, 1)
	stopped := stopKeeper(t, p)
	began := time.Now()
	if r := fromPool(t, p, whose+"true"); r.err != nil || r.ExitCode != 0 || r.out == first.out {
		t.Errorf("after the keeper was stopped: %+v, %v, %q", r.Status, r.err, r.out)
	}
	if took := time.Since(began); took < stuckAfter || took > stuckAfter+soon {
		t.Errorf("it took %v", took)
	}
	eventually(t, "the keeper is gone", func() bool { return syscall.Kill(stopped, 0) != nil })
}

// stopKeeper stops the one keeper that waits.
func stopKeeper(t *testing.T, p *Pool) (pid int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	pid = p.keepers[0].box.pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestStoppedKeeperEndsWithItsPool(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	fromPool(t, p, "true").want(t, 0, "")
	keeps(t, p, 1)
	stopped := stopKeeper(t, p)
	began := time.Now()
	p.Close()
	if err := syscall.Kill(stopped, 0); err == nil || time.Since(began) >= stuckAfter {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// Keepers that are killed at any moment, also while they make a process 1, or held up
// for a while, cost no sandbox anything.
func TestKeepersAreKilledUnderUse(t *testing.T) {
	requireSandbox(t)
	p := NewPool(Config{}, SystemView, 2)
	over, killed := make(chan struct{}), make(chan int, 1)
	go func() {
		count := 0
		for ; ; count++ {
			select {
			case <-over:
				killed <- count
				return
			case <-time.After(time.Millisecond):
			}
			p.mu.Lock()
			for i, k := range p.keepers {
				signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCONT, syscall.SIGCONT}
				strike(t, k.box.pid, time.Duration(count%8)*100*time.Microsecond, signals[(count+i)%4])
				strike(t, k.box.pid, 3*time.Millisecond, syscall.SIGCONT)
			}
			p.mu.Unlock()
		}
	}()
	var users sync.WaitGroup
	for range 3 {
		users.Go(func() {
			for range long(60, 3000) {
				if err := use(p, "run"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	close(over)
	if count := <-killed; count < 10 {
		t.Errorf("looked for keepers %d times only", count)
	}
	p.Close()
	childless(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.keepers)+len(p.leaving)+len(p.ready) != 0 {
		t.Errorf("left: %+v", p)
	}
}

// strike sends a signal to a process after a while, and to no other that has its id by then.
func strike(t *testing.T, pid int, after time.Duration, signal syscall.Signal) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Log(err) // it may be gone already
		return
	}
	time.AfterFunc(after, func() {
		_ = unix.PidfdSendSignal(process, signal, nil, 0)
		unix.Close(process)
	})
}

// Where no keeper can be made there are sandboxes all the same, and keepers again after
// a rest.
func TestPoolWithoutKeepers(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	first := fromPool(t, p, whose+"true")
	keeps(t, p, 1)
	if of, err := p.doWithout(); err != nil || of.isKept {
		t.Fatal(of.isKept, err)
	}
	for range 3 {
		r := fromPool(t, p, whose+"true")
		if r.err != nil || r.ExitCode != 0 || r.out == first.out {
			t.Errorf("%+v, %v: %q", r.Status, r.err, r.out)
		}
		first = r
	}
	eventually(t, "the pool is idle", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.base == nil
	})
	fromPool(t, p, "true").want(t, 0, "")
	keeps(t, p, 1)
}

// A sandbox outlives its keeper.
func TestKeeperIsKilledUnderASandbox(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	a, err := p.Start(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(a.keeper.box.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	status, err := a.Run(t.Context(), Config{Args: []string{"/bin/sh", "-c", "exit 7"}})
	if err != nil || status.ExitCode != 7 {
		t.Errorf("%+v, %v", status, err)
	}
	p.Close()
	childless(t)
}

func TestKeeperOnlyWhereNothingCanBeLeft(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want bool
	}{{Config{}, true}, {Config{Network: NetworkHost}, false}, {Config{AllowUserns: true}, false}} {
		if got := isKept(&c.cfg); got != c.want {
			t.Errorf("%+v: %v", c.cfg, got)
		}
	}
}

// A limit of processes lets as many be as in a sandbox of its own.
func TestKeeperCountsForNoLimit(t *testing.T) {
	requireSandbox(t)
	const script = `(n=0; while [ $n -lt 40 ]; do sleep 100 & n=$((n + 1)); echo $n; done)`
	limit := func(cfg *Config) { cfg.Limits.Processes = 20 }
	p := alonePool(t)
	alone := shell(t, script, limit)
	pooled := fromPool(t, p, script, limit)
	if alone.out != pooled.out || !strings.HasPrefix(alone.out, "1\n2\n") || !slices.Equal(alone.Struck, pooled.Struck) {
		t.Errorf("alone %q %v, from a pool %q %v", alone.out, alone.Struck, pooled.out, pooled.Struck)
	}
}

// noNetworks is a helper that makes a sandbox of a pool where there can be no
// network namespace.
func noNetworks([]string) error {
	if err := os.WriteFile("/proc/sys/user/max_net_namespaces", []byte("0"), 0); err != nil {
		return err
	}
	p := NewPool(Config{}, SystemView, 1)
	defer p.Close()
	a, err := p.Start(Limits{})
	if err != nil {
		return err
	}
	_, err = a.Run(context.Background(), Config{Args: []string{"/bin/true"}})
	fmt.Println(err)
	return nil
}

func TestKeeperTellsWhatIsWrong(t *testing.T) {
	requireSandbox(t)
	cmd := outside(t, "networks")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), stageClone) || !strings.Contains(string(out), "no space left") {
		t.Errorf("%s%v", out, err)
	}
}

// Nothing of a sandbox's is open in the keeper, which stays.
func TestKeeperHoldsNothing(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	for range 3 {
		fromPool(t, p, "true").want(t, 0, "")
		keeps(t, p, 1)
	}
	p.mu.Lock()
	pid := p.keepers[0].box.pid
	p.mu.Unlock()
	out, err := exec.Command("ls", fmt.Sprintf("/proc/%d/fd", pid)).CombinedOutput()
	if err != nil || len(strings.Fields(string(out))) != fdCount {
		t.Errorf("open in a keeper: %q, %v", out, err)
	}
}
