package local

import (
	"bufio"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// host is what tool finding needs to know of the caller's machine.
type host struct {
	path []string // the caller's PATH
	home string   // the caller's home directory
	root string   // the root of the action, for version files in it
	env  func(name string) string
	sees func(string) bool // nil: a program may be anywhere
	nix  string            // where Nix has its packages, "/nix/store" but in tests
	bare bool              // the action sees no system folders, and only tools that are declared
	// programs remembers what path leads to; it may be nil.
	programs *programs
}

// found is what makes a program runnable: what has to be visible and where its
// own name is looked up.
type found struct {
	program string   // host path of argv[0], empty when it is not a host file
	visible []tool   // sorted, without one inside another
	bins    []string // joined to PATH, first ones first
	bare    bool     // nothing of the host is visible beside these
}

// tool is one host path that the action sees at the same place, read-only.
type tool struct {
	path   string
	hidden []string // directories below path that are shown empty
	// packages, when set, say what counts of a path that is only added to: those
	// packages of Nix that the action uses.
	packages []string
}

// systemFolders are visible in every sandbox with --host system.
func systemFolders() []string { return []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"} }

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

func isSystem(path string) bool {
	return slices.ContainsFunc(systemFolders(), func(folder string) bool { return within(path, folder) })
}

// find resolves argv[0] and the declared tools.
func (h host) find(argv0 string, declared []string) (found, error) {
	result := found{bare: h.bare}
	for _, path := range declared {
		if _, err := os.Stat(path); err != nil {
			return found{}, missingTool(path, err)
		}
		h.expose(&result, path)
		if isDirectory(filepath.Join(path, "bin")) {
			result.bins = append(result.bins, filepath.Join(path, "bin"))
		}
	}
	if h.bare {
		h.path, h.sees = declaredFolders(declared), result.shows
	}
	result.program = h.locate(argv0, result.bins)
	if h.bare && !result.shows(result.program) {
		result.program = ""
	}
	if result.program != "" {
		if !strings.Contains(argv0, "/") {
			result.addBin(filepath.Dir(result.program))
		}
		if !h.bare {
			h.exposeProgram(&result, result.program)
		}
	}
	result.visible = outermost(result.visible, declared)
	return result, nil
}

// declaredFolders are where the programs of declared tools can be: a tool that
// is a program, a folder of programs, and the folders that are on every PATH.
func declaredFolders(declared []string) []string {
	var folders []string
	for _, path := range declared {
		if !isDirectory(path) {
			path = filepath.Dir(path)
		}
		folders = append(folders, path)
	}
	return append(folders, filepath.SplitList(systemPath)...)
}

// locate finds the host file behind argv[0]: empty when there is none, or when
// it names a file below the working directory. When the only files of that name
// are not executable it is the first of them, so that the sandbox can say so.
func (h host) locate(argv0 string, bins []string) string {
	if filepath.IsAbs(argv0) && isFile(argv0) {
		return filepath.Clean(argv0)
	}
	if strings.Contains(argv0, "/") {
		return h.ofEnvironment(argv0)
	}
	if len(bins) > 0 || h.sees != nil {
		path, _ := h.along(argv0, append(slices.Clone(bins), h.path...))
		return path
	}
	if path := h.programs.of(argv0); path != "" && isExecutable(path) {
		return path
	}
	path, isAnyones := h.along(argv0, h.path)
	if isAnyones {
		h.programs.note(argv0, path)
	}
	return path
}

// along looks for a program in folders. isAnyones says that it is found so from
// every root: no manager of versions was asked.
func (h host) along(name string, folders []string) (path string, isAnyones bool) {
	var second string
	isAnyones = true
	for _, folder := range folders {
		path := filepath.Join(folder, name)
		if !filepath.IsAbs(path) || !isFile(path) || h.sees != nil && !h.sees(path) {
			continue
		}
		if !isExecutable(path) {
			second = cmp.Or(second, path)
			continue
		}
		if real, isShim := h.behindShim(path); isShim {
			path, isAnyones = real, false
		}
		if path != "" {
			return path, isAnyones
		}
	}
	return second, false
}

// ofEnvironment finds the program of a virtual environment below the root that
// is named by its path there. It runs where it is on the host: a virtual
// environment cannot be moved.
func (h host) ofEnvironment(argv0 string) string {
	path := filepath.Join(h.root, argv0)
	if !isExecutable(path) || !isFile(filepath.Join(filepath.Dir(filepath.Dir(path)), "pyvenv.cfg")) {
		return ""
	}
	return path
}

// exposeProgram makes a program visible with what it needs: the tree that it is
// installed in, the same for what its links lead to, and its interpreter.
func (h host) exposeProgram(result *found, program string) {
	for range 16 { // links and interpreters; a loop ends here
		if program == "" || isSystem(program) {
			return
		}
		h.expose(result, h.installation(program))
		if target, err := os.Readlink(program); err == nil {
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(program), target)
			}
			program = target
			continue
		}
		var byName bool
		if program, byName = h.interpreter(program); byName {
			result.addBin(filepath.Dir(program))
		}
	}
}

// expose adds one path, with the Python behind it when it is a virtual
// environment.
func (h host) expose(result *found, path string) {
	if !h.bare && isSystem(path) || result.shows(path) {
		return
	}
	if h.isPackage(path) {
		result.addPackage(h.nix, path)
		return
	}
	result.visible = append(result.visible, tool{path: path})
	switch base, hidden := pythonBehind(path); {
	case base == "" || isSystem(base) || result.shows(base):
	case h.isPackage(base):
		result.addPackage(h.nix, base)
	default:
		result.visible = append(result.visible, tool{path: base, hidden: hidden})
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		h.expose(result, real)
	}
}

// isPackage reports whether path is in a package of Nix.
func (h host) isPackage(path string) bool { return h.nix != "" && path != h.nix && within(path, h.nix) }

// addPackage makes the packages of Nix visible, all of them, since each needs
// others. The name of one says what is in it and in those.
func (f *found) addPackage(store, path string) {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, store+"/"), "/")
	i := slices.IndexFunc(f.visible, func(t tool) bool { return t.path == store })
	if i < 0 {
		i = len(f.visible)
		f.visible = append(f.visible, tool{path: store})
	}
	if !slices.Contains(f.visible[i].packages, name) {
		f.visible[i].packages = append(f.visible[i].packages, name)
	}
}

// shows reports whether path is visible already.
func (f *found) shows(path string) bool {
	return slices.ContainsFunc(f.visible, func(t tool) bool {
		return within(path, t.path) && len(t.packages) == 0 && !slices.ContainsFunc(t.hidden, func(hidden string) bool { return within(path, hidden) })
	})
}

// installation returns the tree that a program was installed in, when it looks
// like one of its own (a virtual environment, a toolchain), and otherwise the
// program alone: folders that collect programs, such as ~/.local/bin or
// ~/go/bin, lie beside much that is none of the action's business.
func (h host) installation(program string) string {
	folder := filepath.Dir(program)
	if base := filepath.Base(folder); base != "bin" && base != "sbin" {
		return program
	}
	prefix := filepath.Dir(folder)
	if prefix == "/" || within(h.home, prefix) || prefix == filepath.Join(h.home, ".local") {
		return program
	}
	for _, mark := range []string{"pyvenv.cfg", "lib", "lib64", "libexec", "share"} {
		if _, err := os.Stat(filepath.Join(prefix, mark)); err == nil {
			return prefix
		}
	}
	return program
}

// interpreter returns the program of a script's first line, or "". Behind
// "/usr/bin/env NAME" it is NAME on the caller's PATH, found by its name.
func (h host) interpreter(script string) (program string, byName bool) {
	file, err := os.Open(script)
	if err != nil {
		return "", false
	}
	defer file.Close()
	line, _ := bufio.NewReaderSize(file, 512).ReadString('\n')
	rest, isScript := strings.CutPrefix(line, "#!")
	fields := strings.Fields(rest)
	switch {
	case !isScript || len(fields) == 0:
		return "", false
	case filepath.Base(fields[0]) == "env" && len(fields) == 2:
		program = h.locate(fields[1], nil)
		return program, program != ""
	}
	return fields[0], false
}

// outermost drops what lies inside another visible path, and hides nothing of
// what was declared by name.
func outermost(tools []tool, declared []string) []tool {
	slices.SortFunc(tools, func(a, b tool) int { return strings.Compare(a.path, b.path) })
	var kept []tool
	for _, t := range tools {
		if slices.Contains(declared, t.path) {
			t.hidden = nil
		}
		n := len(kept)
		switch {
		case n > 0 && t.path == kept[n-1].path:
			if len(t.hidden) > 0 {
				kept[n-1].hidden = t.hidden
			}
		case n > 0 && within(t.path, kept[n-1].path) && len(kept[n-1].hidden) == 0:
		default:
			kept = append(kept, t)
		}
	}
	return kept
}

// addBin makes a folder part of PATH, unless it is.
func (f *found) addBin(folder string) {
	if !slices.Contains(f.bins, folder) && !slices.Contains(filepath.SplitList(systemPath), folder) {
		f.bins = append(f.bins, folder)
	}
}

func isDirectory(path string) bool { return modeOf(path)&unix.S_IFMT == unix.S_IFDIR }

func isFile(path string) bool { return modeOf(path)&unix.S_IFMT == unix.S_IFREG }

func isExecutable(path string) bool {
	mode := modeOf(path)
	return mode&unix.S_IFMT == unix.S_IFREG && mode&0o111 != 0
}

// modeOf is the type and the permissions of what a path leads to, 0 of what is not
// there. Mostly it is not, along PATH, and os.Stat takes longer to say why than the
// kernel to look.
func modeOf(path string) uint32 {
	var stat unix.Stat_t
	for {
		err := unix.Stat(path, &stat)
		if err == nil {
			return uint32(stat.Mode)
		}
		if !errors.Is(err, unix.EINTR) {
			return 0
		}
	}
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
