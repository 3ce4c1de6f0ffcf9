//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inventory prints all of the root that a sandbox could have from those before it. The
// times of the root directory itself tell of mount points.
const inventory = whose + "HOME=" + HomeDir + "; " + `find / -xdev ! -path / ! -path /proc ! -path /tmp ! -path ~ ! -path /dev/pts ! -path /dev/shm -printf '%p %y %m %U:%G %n %s %T@ %C@ %A@ %i %l\n' | sort; find / -maxdepth 0 -printf '%m %U:%G %n\n'
	find /etc -xdev -type f -exec md5sum {} + 2>/dev/null | sort; ls -la /dev; find /dev/shm /tmp ~ -mindepth 1`

// A sandbox after others is what it would have been before them, whatever they mounted.
func TestTemplateHasNothingOfTheLastSandbox(t *testing.T) {
	requireOverlay(t)
	folder := t.TempDir()
	write(t, folder+"/file", "other")
	mounts := map[string]func(*Config){
		"deep directories": func(cfg *Config) {
			cfg.Binds = []Bind{{Source: folder, Target: "/a/b/c"}, {Source: folder, Target: "/a/d"}, {Source: folder, Target: "/etc/own/deep"}}
		},
		"files": func(cfg *Config) {
			cfg.Binds = []Bind{{Source: folder + "/file", Target: "/x/file"}, {Source: folder + "/file", Target: "/odd\n name"}}
		},
		"over what is there": func(cfg *Config) {
			cfg.Binds = []Bind{{Source: folder + "/file", Target: "/etc/passwd"}, {Source: folder, Target: "/var/tmp"}}
		},
		"one in the other": func(cfg *Config) {
			cfg.Overlays = []Overlay{overlay(t, nil)}
			cfg.Binds = []Bind{{Source: folder, Target: "/build/in"}, {Source: folder, Target: "/home/larder/in"}, {Source: folder + "/file", Target: "/build/file"}}
		},
		"a directory over a file, which fails": func(cfg *Config) {
			cfg.Binds = []Bind{{Source: folder, Target: "/before"}, {Source: folder, Target: "/etc/group"}}
		},
		"a directory that is not there, which fails": func(cfg *Config) { cfg.Dir = "/none"; cfg.Binds = []Bind{{Source: folder, Target: "/before"}} },
		"a long stay": func(cfg *Config) {
			cfg.Binds = []Bind{{Source: folder, Target: "/kept"}}
			cfg.Args[2] = "sleep 100 & cd /kept"
		},
	}
	for name, adjust := range mounts {
		t.Run(name, func(t *testing.T) {
			p := alonePool(t)
			fromPool(t, p, "true").want(t, 0, "")
			keeps(t, p, 1)
			before := fromPool(t, p, inventory)
			keeps(t, p, 1)
			r := fromPool(t, p, whose, adjust)
			isRefused := strings.Contains(name, "fails")
			if (r.err != nil) != isRefused {
				t.Fatalf("%+v, %v", r.Status, r.err)
			}
			if isRefused { // the keeper has gone with it
				return
			}
			keeps(t, p, 1)
			after := fromPool(t, p, inventory)
			if !strings.Contains(after.out, "/etc/passwd f 644") || strings.Count(after.out, "\n") < 50 {
				t.Fatalf("%s, %v", after.out, after.err)
			}
			// The times of a directory in which a mount point was.
			without := func(text string) string {
				return strings.Join(slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
					return strings.HasPrefix(line, "/etc d ") && strings.Contains(name, "deep")
				}), "\n")
			}
			differs(t, without(before.out), without(after.out))
		})
	}
}

// What one run makes a directory, the next may need as a file, and the other way round.
func TestTemplateHasTheMountPointsOfTheRun(t *testing.T) {
	requireSandbox(t)
	folder := t.TempDir()
	write(t, folder+"/file", "text")
	targets := []string{"/own", "/own/a", "/own/a/b", "/own/c", "/etc/own", "/usr2"}
	p := alonePool(t)
	var used string
	for _, turn := range rand.New(rand.NewPCG(1, 2)).Perm(60) {
		target, isFile := targets[turn%len(targets)], turn/len(targets)%2 == 0
		want := []string{target, target + "/file"}
		bind := Bind{Source: folder, Target: target}
		if isFile {
			want, bind.Source = want[:1], folder+"/file"
		}
		for above := path.Dir(target); above != "/" && above != "/etc"; above = path.Dir(above) {
			want = append(want, above)
		}
		slices.Sort(want)
		r := fromPool(t, p, whose+"find /own /etc/own /usr2 2>/dev/null | sort", func(cfg *Config) { cfg.Binds = []Bind{bind} })
		now, list := r.out[:strings.Index(r.out, "/")], r.out[strings.Index(r.out, "/"):]
		if r.err != nil || list != strings.Join(want, "\n")+"\n" {
			t.Fatalf("%s, a file %v: %q, %+v, %v", target, isFile, r.out, r.Status, r.err)
		}
		if used != "" && now != used {
			t.Errorf("another keeper: %s, not %s", now, used)
		}
		used = now
		keeps(t, p, 1)
	}
}

// Whatever ends sandboxes and keepers meanwhile, a run finds its own mount points and no
// others.
func TestTemplateUnderUse(t *testing.T) {
	requireSandbox(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "text")
	targets := []string{"/own", "/own/a", "/own/b/c", "/other", "/etc/own"}
	p := NewPool(Config{}, SystemView, 3)
	var users sync.WaitGroup
	var whole atomic.Int64
	for user := range uint64(3) {
		users.Go(func() {
			chance := rand.New(rand.NewPCG(user, 1))
			for range long(60, 3000) {
				target := targets[chance.IntN(len(targets))]
				list, status, err := listOwn(t.Context(), p, chance, Bind{Source: file, Target: target})
				switch {
				case err != nil:
					t.Error(err)
				case status.ExitCode == 0 && list != strings.Join(upTo(target), "\n")+"\n":
					t.Errorf("with %s: %q", target, list)
				case status.ExitCode == 0:
					whole.Add(1)
				}
			}
		})
	}
	users.Wait()
	p.Close()
	childless(t)
	if whole.Load() < 20 {
		t.Errorf("only %d runs came to their ends", whole.Load())
	}
}

// listOwn lists what of mount points is in a sandbox with a bind, which may be ended too
// early, as its keeper may be.
func listOwn(ctx context.Context, p *Pool, chance *rand.Rand, bind Bind) (string, Status, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a, err := p.Start(Limits{})
	if err != nil {
		return "", Status{}, err
	}
	defer a.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return "", Status{}, err
	}
	defer reader.Close()
	if chance.IntN(20) == 0 && a.keeper != nil {
		_ = syscall.Kill(a.keeper.box.pid, syscall.SIGKILL) // it may have ended with its namespaces
	}
	if chance.IntN(3) == 0 {
		time.AfterFunc(time.Duration(chance.IntN(3000))*time.Microsecond, cancel)
	}
	status, err := a.Run(ctx, Config{
		Args: []string{"/bin/sh", "-c", "find /own /other /etc/own 2>/dev/null | sort"}, Env: []string{"PATH=/usr/bin:/bin"},
		Stdout: writer, Binds: []Bind{bind},
	})
	writer.Close()
	list, readErr := io.ReadAll(reader)
	return string(list), status, errors.Join(err, readErr)
}

// upTo is a path and those above it that are no part of every root.
func upTo(name string) []string {
	if above := path.Dir(name); above != "/" && above != "/etc" {
		return append(upTo(above), name)
	}
	return []string{name}
}

// spoils are attempts on what a sandbox has from its keeper.
func spoils() map[string]func() error {
	const file = "/etc/passwd"
	onFile := func(deed func(fd int) error) func() error {
		return func() error {
			fd, err := unix.Open(file, unix.O_RDONLY, 0)
			if err != nil {
				return nil
			}
			defer unix.Close(fd)
			return deed(fd)
		}
	}
	return map[string]func() error{
		"new file":          func() error { return os.WriteFile("/new", nil, 0o644) },
		"new directory":     func() error { return os.Mkdir("/etc/new", 0o755) },
		"new link":          func() error { return os.Symlink("x", "/etc/new") },
		"new pipe":          func() error { return unix.Mkfifo("/etc/new", 0o666) },
		"new socket":        func() error { return bindSocket("/etc/new") },
		"hard link":         func() error { return os.Link(file, "/etc/new") },
		"hard link of open": onFile(func(fd int) error { return unix.Linkat(fd, "", unix.AT_FDCWD, "/etc/new", unix.AT_EMPTY_PATH) }),
		"unnamed file":      func() error { _, err := unix.Open("/etc", unix.O_TMPFILE|unix.O_RDWR, 0o600); return err },
		"write":             func() error { return os.WriteFile(file, []byte("x"), 0o644) },
		"write by /proc": onFile(func(fd int) error {
			_, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR, 0)
			return err
		}),
		"cut by opening": func() error { _, err := unix.Open(file, unix.O_RDONLY|unix.O_TRUNC, 0); return err },
		"cut":            func() error { return os.Truncate(file, 0) },
		"mode":           func() error { return os.Chmod(file, 0o666) },
		"mode of open":   onFile(func(fd int) error { return unix.Fchmod(fd, 0o666) }),
		"owner":          func() error { return os.Chown(file, 1000, 1000) },
		"times":          func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, file, nil, 0) },
		"attribute":      onFile(func(fd int) error { return unix.Fsetxattr(fd, "user.x", []byte("x"), 0) }),
		"flags": onFile(func(fd int) error {
			return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, 0x80)
		}),
		"seals": onFile(func(fd int) error {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
			return err
		}),
		"room": onFile(func(fd int) error { return unix.Fallocate(fd, 0, 0, 1<<20) }),
		"mapping": onFile(func(fd int) error {
			_, err := unix.Mmap(fd, 0, 10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		}),
		"unlink":           func() error { return os.Remove(file) },
		"unlink a link":    func() error { return os.Remove("/dev/fd") },
		"rename":           func() error { return os.Rename(file, "/etc/new") },
		"other way in":     func() error { return os.WriteFile("/proc/self/root/new", nil, 0o644) },
		"by the parent":    func() error { return os.WriteFile("/tmp/../new", nil, 0o644) },
		"mode of null":     func() error { return os.Chmod("/dev/null", 0) },
		"owner of null":    func() error { return os.Chown("/dev/null", 1000, 1000) },
		"times of null":    func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, "/dev/null", nil, 0) },
		"unlink null":      func() error { return os.Remove("/dev/null") },
		"label of random":  func() error { return unix.Setxattr("/dev/random", "security.x", []byte("x"), 0) },
		"remount":          func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT, "") },
		"unmount":          func() error { return unix.Unmount("/etc/alternatives", unix.MNT_DETACH) },
		"name of the host": func() error { return unix.Sethostname([]byte("other")) },
		"domain":           func() error { return unix.Setdomainname([]byte("other")) },
	}
}

func bindSocket(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
}

// attemptSpoil tries all of them, and prints which could be done.
func attemptSpoil([]string) error {
	for name, spoil := range spoils() {
		if spoil() == nil {
			fmt.Println(name)
		}
	}
	fmt.Println("tried", len(spoils()))
	return nil
}

func TestTemplateCannotBeSpoiled(t *testing.T) {
	requireSandbox(t)
	p := alonePool(t)
	fromPool(t, p, "true").want(t, 0, "")
	keeps(t, p, 1)
	before := fromPool(t, p, inventory)
	for range 2 {
		keeps(t, p, 1)
		fromPool(t, p, "", asHelper(t, "spoil")).want(t, 0, fmt.Sprintf("tried %d", len(spoils())))
		keeps(t, p, 1)
		fromPool(t, p, "cat /etc/* /etc/*/* >/tmp/all 2>/tmp/errors; (exec 9</etc/passwd; flock 9; sleep 100) & cd /etc; ls -laR /etc >/dev/null").want(t, 0, "")
	}
	keeps(t, p, 1)
	differs(t, before.out, fromPool(t, p, inventory).out)
}

// mountLater is a helper that mounts something between one sandbox of a pool and the next,
// in a mount namespace from which nothing comes to those of sandboxes.
func mountLater(args []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	p := NewPool(Config{}, SystemView, 2)
	defer p.Close()
	look := func() error {
		a, err := p.Start(Limits{})
		if err != nil {
			return err
		}
		_, err = a.Run(context.Background(), Config{
			Args: []string{"/bin/sh", "-c", "ls /x | wc -l; ls /usr/local/include | wc -l"}, Stdout: os.Stdout, Stderr: os.Stdout,
			Binds: []Bind{{Source: args[0], Target: "/x"}},
		})
		return err
	}
	for _, place := range []string{args[0], "/usr/local/include"} {
		for range 3 {
			if err := look(); err != nil {
				return err
			}
		}
		if err := errors.Join(unix.Mount("new", place, "tmpfs", 0, ""), os.WriteFile(place+"/1", nil, 0o644), os.WriteFile(place+"/2", nil, 0o644)); err != nil {
			return err
		}
		for range 3 {
			if err := look(); err != nil {
				return err
			}
		}
	}
	return unix.Unmount(args[0], 0) // nothing holds it any more
}

func TestPoolSeesWhatIsMountedAtOnce(t *testing.T) {
	requireSandbox(t)
	cmd := outside(t, "mount", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	local, err := filepath.Glob("/usr/local/include/*")
	if err != nil {
		t.Fatal(err)
	}
	was := fmt.Sprintln(len(local))
	want := strings.Repeat("0\n"+was, 3) + strings.Repeat("2\n"+was, 6) + strings.Repeat("2\n2\n", 3)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != want {
		t.Errorf("%q, not %q, %v", out, want, err)
	}
}

// A directory of the view that was replaced is seen after the next look.
func TestPoolSeesWhatWasReplaced(t *testing.T) {
	requireSandbox(t)
	folder := t.TempDir()
	write(t, folder+"/now/file", "old")
	write(t, folder+"/next/file", "new")
	p := NewPool(Config{}, func() View {
		v := SystemView()
		v.Binds = append(v.Binds, Bind{Source: folder + "/now", Target: "/opt/shown"})
		return v
	}, 1)
	defer p.Close()
	show := func() string { return fromPool(t, p, "cat /opt/shown/file").out }
	for range 3 {
		if out := show(); out != "old" {
			t.Fatal(out)
		}
	}
	if err := errors.Join(os.Rename(folder+"/now", folder+"/gone"), os.Rename(folder+"/next", folder+"/now")); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.looked = p.looked.Add(-PoolIdle)
	p.mu.Unlock()
	eventually(t, "the new directory is seen", func() bool { return show() == "new" })
	for range 20 {
		if out := show(); out != "new" {
			t.Errorf("again seen is %q", out)
		}
	}
}

func TestDivideMounts(t *testing.T) {
	root := layOutBase(&Config{View: View{Binds: []Bind{{Source: "/a", Target: "/dev/shm/in"}, {Source: "/b", Target: "/opt"}}}}, facts{masked: []string{"/proc/keys"}})
	_, own := divide(root.mounts)
	if got := targets(tree{mounts: own}); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"/dev/pts", "/dev/shm", "/dev/shm/in", "/proc", "/proc/keys"}) {
		t.Errorf("own are %v", got)
	}
}
