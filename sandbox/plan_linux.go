//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// openHow is struct open_how of openat2.
type openHow struct{ flags, _, resolve uint64 }

// mountAttr is struct mount_attr of mount_setattr.
type mountAttr struct{ set, _, propagation, _ uint64 }

var (
	atCWD  = operand{value: ^uintptr(99)} // AT_FDCWD
	nobody = operand{value: ^uintptr(0)}  // -1
)

// planBase makes the first part of a plan, of what does not depend on what will
// run: all of a sandbox but its own mounts, and those that one of avoid would
// cover. It asks the host nothing: what it needs to know is in f.
func (p *program) planBase(cfg *Config, f facts, avoid []string) {
	var root tree
	if cfg.Isolation == Namespaces {
		root = layOutBase(cfg, f)
	}
	p.root, p.made = root, pathSet{"/": true}
	covered := func(m mount) bool {
		return slices.ContainsFunc(avoid, func(target string) bool { return inside(m.target, root.resolve(target)) })
	}
	for _, m := range root.mounts {
		if !covered(m) {
			p.placed = append(p.placed, m)
		}
	}
	before := len(p.setup)
	t := &table{steps: slices.Grow(p.setup, 384), arena: p.arena}
	switch {
	case cfg.Isolation == Directory:
		t.planAmong(p.memory)
	case p.kept:
		p.made = p.madeByKeeper()
		t.takeTemplate(p.placed)
	default:
		t.makeRoot(p.made, &p.root)
		t.mountPoints(p.made, nil, p.placed)
		t.mountAll(nil, p.placed)
	}
	if cfg.Isolation == Namespaces {
		p.orders.filter = t.layFilter(systemCallFilter(cfg))
	}
	p.setup, p.orders.base = t.steps, t.calls(t.steps[before:])
}

// planApart is what process 1 does before anything, while it is found out what there is
// of the host: it makes the namespaces that it was not born with, and all in them that
// does not depend on that. The user and the group are those of the caller.
func (p *program) planApart(cfg *Config, uid, gid int) {
	if cfg.Isolation == Directory {
		return
	}
	t := &table{arena: p.arena}
	t.at(stageClone, "")
	t.call(unix.SYS_UNSHARE, num(p.ownNamespaces(cfg)))
	if !p.kept {
		t.holdNothing()
		t.mapUser(uid, gid)
		if cfg.Network == NetworkNone {
			t.bringUpLoopback()
		}
		t.nameHost(cfg)
		t.dropBounds()
	}
	p.setup, p.orders.apart = t.steps, t.calls(t.steps)
}

// planAmong is the first part for a directory: process 1 is one of the processes
// of the machine, and the kernel gives it those of its own whose parents are gone.
// Its memory, which is a copy, is not for them to read. They have theirs back with
// their execve.
func (t *table) planAmong(m *memory) {
	t.holdNothing()
	t.at(stageSuper, "")
	t.call(unix.SYS_PRCTL, num(unix.PR_SET_DUMPABLE), num(0), num(0), num(0), num(0))
	t.call(unix.SYS_PRCTL, num(unix.PR_SET_CHILD_SUBREAPER), num(1), num(0), num(0), num(0))
	m.children = t.text("/proc/thread-self/children").value
}

// planRun adds the second part: the mounts of cfg, and its processes. It
// reports false when the first part is in the way of these mounts.
func (p *program) planRun(cfg *Config, f facts) bool {
	before := len(p.setup)
	t := &table{steps: p.setup, arena: p.arena}
	t.takeDescriptors()
	if cfg.Isolation == Namespaces && !t.planMounts(cfg, f, p) {
		return false
	}
	t.enterDirectory(cfg)
	t.confine(cfg.Isolation)
	if !cloned(f.group) {
		t.filterCalls(cfg, p.orders.filter)
	}
	p.orders.setup = t.calls(t.steps[before:])
	p.setup = t.steps
	t.planStages(cfg, f, p)
	if cfg.Timeout > 0 {
		p.orders.announce = 1
	}
	if cfg.isFinal() {
		p.orders.stays = 1
	}
	return true
}

// planMounts adds the mounts of cfg, and enters the root; false is that of planRun.
func (t *table) planMounts(cfg *Config, f facts, p *program) bool {
	all := p.root.with(cfg, f).mounts
	rest := slices.DeleteFunc(all, p.mounted)
	if slices.ContainsFunc(p.placed, func(m mount) bool { return covering(rest, m.target) != nil }) {
		return false
	}
	here := len(t.steps)
	t.mountPoints(p.made, p.placed, rest)
	if p.kept {
		p.leaves = t.clean(here, p.litter)
	}
	t.mountAll(p.placed, rest)
	t.enterRoot()
	return true
}

// mounted reports whether the first part has made the mount.
func (p *program) mounted(m mount) bool {
	return slices.ContainsFunc(p.placed, func(made mount) bool {
		return made.kind == m.kind && made.target == m.target && made.source == m.source
	})
}

// mapUser makes the caller's user the one user of the sandbox. Supplementary
// groups have to be given up first.
func (t *table) mapUser(uid, gid int) {
	for _, file := range [][2]string{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("%d %d 1", UserID, uid)},
		{"gid_map", fmt.Sprintf("%d %d 1", GroupID, gid)},
	} {
		t.at(stageIDs, "/proc/self/"+file[0])
		t.call(unix.SYS_OPENAT, atCWD, t.text("/proc/self/"+file[0]), num(unix.O_WRONLY|unix.O_CLOEXEC)).into(regFile)
		t.writeAndClose([]byte(file[1]))
	}
}

func (t *table) writeAndClose(content []byte) {
	if len(content) > 0 {
		t.call(unix.SYS_WRITE, regFile.operand(), t.bytes(content), num(len(content)))
	}
	t.close(regFile)
}

func (t *table) close(r register) { t.call(unix.SYS_CLOSE, r.operand()) }

// holdNothing puts nothing into the places of the standard files until the
// creator gives them.
func (t *table) holdNothing() {
	t.at(stageStdio, "/dev/null")
	t.call(unix.SYS_OPENAT, atCWD, t.text("/dev/null"), num(unix.O_RDWR|unix.O_CLOEXEC)).into(regFile)
	for fd := range fdControl {
		t.call(unix.SYS_DUP3, regFile.operand(), num(fd), num(0))
	}
	t.close(regFile)
	t.call(unix.SYS_PRCTL, num(unix.PR_SET_NAME), t.text("larder-init"))
}

// takeDescriptors puts the files that came from the creator into their places,
// and opens what tells of ended children.
func (t *table) takeDescriptors() {
	t.at(stageStdio, "")
	for fd := range fdControl {
		t.call(unix.SYS_DUP3, (regGiven + register(fd)).operand(), num(fd), num(0))
		t.close(regGiven + register(fd))
	}
	// Here, since a process goes back to what its parent had.
	t.call(unix.SYS_PRCTL, num(unix.PR_SET_TIMERSLACK), num(customarySlack))
	location, size := object(t, uint64(1)<<(syscall.SIGCHLD-1))
	t.call(unix.SYS_SIGNALFD4, nobody, location, size, num(unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)).into(regSignals)
}

// makeRoot mounts an empty memory file system over the old root, where nobody
// sees it yet, and fills it.
func (t *table) makeRoot(made pathSet, root *tree) {
	t.at(stageRoot, "")
	t.call(unix.SYS_UMASK, num(0))
	t.fileSystem("tmpfs", [][2]string{{"mode", "0755"}, {"size", "16m"}}, 0)
	t.call(unix.SYS_FCNTL, regMount.operand(), num(unix.F_DUPFD_CLOEXEC), num(0)).into(regRoot)
	t.call(unix.SYS_MOVE_MOUNT, regMount.operand(), t.text(""), atCWD, t.text("/"), num(unix.MOVE_MOUNT_F_EMPTY_PATH))
	t.close(regMount)
	for _, directory := range root.directories {
		t.directory(made, directory)
	}
	for _, link := range root.symlinks {
		t.directory(made, path.Dir(link.Path))
		made[link.Path] = true
		t.at(stageFile, link.Path)
		t.call(unix.SYS_SYMLINKAT, t.text(link.To), regRoot.operand(), t.text(relative(link.Path)))
	}
	for _, file := range root.files {
		t.directory(made, path.Dir(file.Path))
		made[file.Path] = true
		t.at(stageFile, file.Path)
		t.call(unix.SYS_OPENAT, regRoot.operand(), t.text(relative(file.Path)),
			num(unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC), num(0o644)).into(regFile)
		t.writeAndClose(file.Content)
	}
}

// mountPoints makes those of mounts that are right on the root. Others have been
// placed before them.
func (t *table) mountPoints(made pathSet, placed, mounts []mount) {
	for i := range mounts {
		if m := &mounts[i]; covering(placed, m.target) == nil && covering(mounts[:i], m.target) == nil {
			t.mountPoint(made, m)
		}
	}
}

// directory makes a directory of the root, and those above it.
func (t *table) directory(made pathSet, name string) {
	if made[name] {
		return
	}
	made[name] = true
	t.directory(made, path.Dir(name))
	t.at(stageFile, name)
	t.call(unix.SYS_MKDIRAT, regRoot.operand(), t.text(relative(name)), num(0o755)).tolerate(syscall.EEXIST)
}

// mountPoint makes the mount point of a mount that is right on the root.
func (t *table) mountPoint(made pathSet, m *mount) {
	if !m.file {
		t.directory(made, m.target)
		return
	}
	t.directory(made, path.Dir(m.target))
	if made[m.target] {
		return
	}
	made[m.target] = true
	t.at(StageTarget, m.target)
	t.call(unix.SYS_MKNODAT, regRoot.operand(), t.text(relative(m.target)), num(unix.S_IFREG|0o644), num(0)).tolerate(syscall.EEXIST)
}

// relative is name as seen from the root.
func relative(name string) string { return strings.TrimPrefix(name, "/") }

// mountAll makes each mount and puts it into its place. Others have been placed
// before them.
func (t *table) mountAll(placed, mounts []mount) {
	for i := range mounts {
		m := &mounts[i]
		t.make(m)
		above := covering(mounts[:i], m.target)
		if above == nil {
			above = covering(placed, m.target)
		}
		if above != nil {
			t.attachInside(above, m)
			continue
		}
		t.at(StageTarget, m.target)
		t.call(unix.SYS_MOVE_MOUNT, regMount.operand(), t.text(""), regRoot.operand(), t.text(relative(m.target)), num(unix.MOVE_MOUNT_F_EMPTY_PATH))
		t.close(regMount)
	}
}

// attachInside puts a mount on a place inside of another one. What that holds
// is not ours: a symbolic link in it could lead anywhere, so the way is walked
// one name at a time and a link on it is an error.
func (t *table) attachInside(above, m *mount) {
	t.at(StageTarget, m.target)
	here, next := regWalk, regNext
	t.open(regRoot, relative(above.target), unix.O_DIRECTORY).into(here)
	names := strings.Split(strings.TrimPrefix(m.target, above.target+"/"), "/")
	for i, name := range names {
		flags := unix.O_DIRECTORY
		if last := i == len(names)-1; last && m.file {
			flags = 0
			t.call(unix.SYS_MKNODAT, here.operand(), t.text(name), num(unix.S_IFREG|0o644), num(0)).tolerate(syscall.EEXIST)
		} else {
			t.call(unix.SYS_MKDIRAT, here.operand(), t.text(name), num(0o755)).tolerate(syscall.EEXIST)
		}
		t.open(here, name, flags).into(next)
		t.close(here)
		here, next = next, here
	}
	t.call(unix.SYS_MOVE_MOUNT, regMount.operand(), t.text(""), here.operand(), t.text(""), num(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
	t.close(regMount)
	t.close(here)
}

// open opens a place of the root, through no symbolic link.
func (t *table) open(directory register, name string, flags int) *step {
	how, size := object(t, openHow{
		flags:   uint64(unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW | flags),
		resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH,
	})
	return t.call(unix.SYS_OPENAT2, directory.operand(), t.text(name), how, size)
}

// make leaves a mount without a place in regMount.
func (t *table) make(m *mount) {
	switch m.kind {
	case mountBind:
		t.at(stageBind, m.source)
		t.openTree(m.source, unix.AT_RECURSIVE)
		t.restrict(m)
	case mountDevice:
		// Read-only, which does not keep anybody from writing to the device, but
		// from changing its mode: root's processes own the nodes of the host.
		t.at(stageDev, m.source)
		t.openTree(m.source, 0)
		attr, size := object(t, mountAttr{set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC, propagation: unix.MS_PRIVATE})
		t.call(unix.SYS_MOUNT_SETATTR, regMount.operand(), t.text(""), num(unix.AT_EMPTY_PATH), attr, size)
	case mountTmpfs:
		t.at(stageTmpfs, m.target)
		t.fileSystem("tmpfs", m.options, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	case mountProc:
		// Read-only: what root may write there is root's by its user id, which
		// the user of the sandbox has when root runs it. Whom a process may not
		// trace it does not see: process 1 has the command line of the caller.
		t.at(stageProc, "")
		attributes := unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
		if !m.writable {
			attributes |= unix.MOUNT_ATTR_RDONLY
		}
		t.fileSystem("proc", [][2]string{{"hidepid", "ptraceable"}}, attributes)
	case mountSealed:
		t.at(stageProc, m.target)
		t.call(unix.SYS_OPEN_TREE, regRoot.operand(), t.text(relative(m.target)), num(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)).into(regMount)
		t.restrict(m)
	case mountPts:
		t.at(stageDev, m.target)
		t.fileSystem("devpts", [][2]string{{"mode", "0620"}, {"ptmxmode", "0666"}}, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	case mountOverlay:
		t.at(stageOverlay, m.target)
		t.makeOverlay(&m.overlay)
	case mountListedOverlay:
		t.at(stageOverlay, m.target)
		t.makeListedOverlay(&m.overlay)
	}
}

func (t *table) openTree(source string, flags int) {
	t.call(unix.SYS_OPEN_TREE, atCWD, t.text(source), num(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)).into(regMount)
}

// restrict takes rights from the mount in regMount and all below it, and cuts
// them off from what is mounted on the host later.
func (t *table) restrict(m *mount) {
	attr := mountAttr{set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, propagation: unix.MS_PRIVATE}
	if !m.writable {
		attr.set |= unix.MOUNT_ATTR_RDONLY
	}
	location, size := object(t, attr)
	t.call(unix.SYS_MOUNT_SETATTR, regMount.operand(), t.text(""), num(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE), location, size)
}

// fileSystem makes a new file system in regMount.
func (t *table) fileSystem(kind string, options [][2]string, attributes int) {
	t.call(unix.SYS_FSOPEN, t.text(kind), num(unix.FSOPEN_CLOEXEC)).into(regContext)
	for _, option := range options {
		t.option(option[0], option[1])
	}
	t.create(attributes)
}

func (t *table) option(key, value string) {
	t.call(unix.SYS_FSCONFIG, regContext.operand(), num(unix.FSCONFIG_SET_STRING), t.text(key), t.text(value), num(0))
}

func (t *table) create(attributes int) {
	t.call(unix.SYS_FSCONFIG, regContext.operand(), num(unix.FSCONFIG_CMD_CREATE), num(0), num(0), num(0))
	t.call(unix.SYS_FSMOUNT, regContext.operand(), num(unix.FSMOUNT_CLOEXEC), num(attributes)).into(regMount)
	t.close(regContext)
}

// enterRoot makes the new root the only one. Both have the same name for the
// moment of the exchange, so that no place for the old one is needed.
func (t *table) enterRoot() {
	t.at(stagePivot, "")
	t.call(unix.SYS_FCHDIR, regRoot.operand())
	t.call(unix.SYS_PIVOT_ROOT, t.text("."), t.text("."))
	t.call(unix.SYS_UMOUNT2, t.text("."), num(unix.MNT_DETACH))
	attr, size := object(t, mountAttr{set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV})
	t.call(unix.SYS_MOUNT_SETATTR, regRoot.operand(), t.text(""), num(unix.AT_EMPTY_PATH), attr, size)
	t.close(regRoot)
}

// nameHost gives the host its name.
func (t *table) nameHost(cfg *Config) {
	t.at("set the host name", cfg.hostname())
	t.call(unix.SYS_SETHOSTNAME, t.text(cfg.hostname()), num(len(cfg.hostname())))
}

// bringUpLoopback gives a network namespace all that it has.
func (t *table) bringUpLoopback() {
	t.at(stageNetwork, "")
	request := make([]byte, 40) // struct ifreq: a name of 16 bytes, then the flags
	copy(request, "lo")
	binary.NativeEndian.PutUint16(request[16:], unix.IFF_UP|unix.IFF_RUNNING)
	t.call(unix.SYS_SOCKET, num(unix.AF_INET), num(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), num(0)).into(regFile)
	t.call(unix.SYS_IOCTL, regFile.operand(), num(unix.SIOCSIFFLAGS), t.bytes(request))
	t.close(regFile)
}

func (t *table) enterDirectory(cfg *Config) {
	dir := cfg.Dir
	if dir == "" {
		dir = WorkDir
	}
	t.at(stageDir, dir)
	t.call(unix.SYS_CHDIR, t.text(dir))
	t.call(unix.SYS_UMASK, num(0o022))
}

// lastCapability is the highest number that is tried; the kernel says EINVAL
// to those that it does not know.
const lastCapability = 63

// dropBounds makes sure that no capability can be had again once it was given up.
func (t *table) dropBounds() {
	t.at(stageCaps, "")
	t.call(unix.SYS_PRCTL, num(unix.PR_CAPBSET_DROP), num(0), num(0), num(0), num(0)).again(lastCapability).tolerate(syscall.EINVAL)
}

// harmless is a capability that gives no right in a namespace. Process 1 has it so
// that it has one more than all others, who may not trace it then: its memory is
// that of the caller. They lose it with their execve.
const harmless = unix.CAP_WAKE_ALARM

// confine gives up every privilege, for process 1 and so for all that it
// starts.
func (t *table) confine(isolation Isolation) {
	t.at(stageCaps, "")
	t.call(unix.SYS_PRCTL, num(unix.PR_SET_NO_NEW_PRIVS), num(1), num(0), num(0), num(0))
	header, _ := object(t, unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3})
	var kept [2]unix.CapUserData
	if isolation == Namespaces {
		kept[1].Permitted = 1 << (harmless - 32)
	}
	data, _ := object(t, kept)
	t.call(unix.SYS_CAPSET, header, data)
}

// filterCalls installs the filter that the processes of cfg live under, and that
// new ones inherit.
func (t *table) filterCalls(cfg *Config, filter uintptr) {
	if cfg.Isolation == Namespaces {
		t.at(stageSeccomp, "")
		t.call(unix.SYS_SECCOMP, num(unix.SECCOMP_SET_MODE_FILTER), num(0), num(filter))
	}
}

// layFilter gives the address of a filter of system calls.
func (t *table) layFilter(filter []byte) uintptr {
	instructions := t.bytes(filter)
	fprog := struct {
		length uint16
		_      [6]byte
		filter uintptr
	}{length: uint16(len(filter) / instructionSize), filter: instructions.value}
	location, _ := object(t, fprog)
	return location.value
}
