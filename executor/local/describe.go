package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"larder/caches/payload"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/sandbox"
)

// Describe finds the programs that the action will see. The state of all that
// its result depends on is taken when it is asked for: the content of the
// program behind argv[0], the state of every tree that is made visible, and of
// the host's packages.
func (r *Runner) Describe(ctx context.Context, a *action.Action) (executor.Surroundings, error) {
	s, err := r.look(ctx, a)
	if err != nil {
		s.early.drop()
		return executor.Surroundings{}, err
	}
	surroundings := executor.Surroundings{Properties: r.states(s), Visible: s.folders(), Sandbox: s.isolation.name(), Handle: s}
	if s.isolation.kind == sandbox.Namespaces {
		surroundings.Expect, surroundings.Drop = s.early.begin, s.early.drop
	}
	return surroundings, nil
}

// look finds what an action will see; of a scene with an error only early is set.
func (r *Runner) look(ctx context.Context, a *action.Action) (s scene, err error) {
	s.early = r.early(a)
	if s.found, err = r.caller(a).find(a.Argv[0], a.Tools); err != nil {
		return s, err
	}
	if s.payloads, err = r.payloads(ctx, a); err != nil {
		return s, err
	}
	if s.early.begun {
		s.isolation = s.early.chosen
		return s, nil
	}
	s.isolation, err = r.choose(a)
	return s, err
}

// caller is the machine as the user of larder sees it.
func (r *Runner) caller(a *action.Action) host {
	return host{path: r.config.Path, home: r.config.Home, root: a.Root, env: r.config.Env, nix: "/nix/store", bare: a.Host == action.HostNone, programs: r.programs}
}

// scene is what an action sees of the host, besides what all actions see.
type scene struct {
	found
	isolation
	payloads []payloadSource
	early    *early
}

// states takes the state of all of it. The first time it is that which the run
// goes by.
func (r *Runner) states(s scene) func(ctx context.Context) ([]action.Property, error) {
	var asked atomic.Bool
	return func(ctx context.Context) ([]action.Property, error) {
		look := func(p payloadSource, ctx context.Context) (payload.Source, error) { return p.look(ctx) }
		index := r.config.Indexes.Load(r.config.ProgramIndex, r.config.Blobs.Function())
		host := func() string { return packageState(index) }
		if !asked.Swap(true) {
			host = func() string { return r.hostState(index) }
			look = func(p payloadSource, _ context.Context) (payload.Source, error) { return p.first() }
			// The index is advice: when it cannot be written the next look is slower.
			// Later looks go on when the run has ended, so they leave nothing.
			defer func() {
				_ = r.config.Indexes.Done(index, func(data []byte) error { return r.config.Layout.WriteFile(r.config.ProgramIndex, data, 0o644) })
			}()
		}
		large, err := payloadProperties(ctx, s.payloads, look)
		if err != nil {
			return nil, err
		}
		properties, err := toolStates(ctx, s.found, index, host)
		return slices.Concat(properties, large, s.isolation.properties()), err
	}
}

// folders are the trees that tools were installed in. A program that is visible
// alone may be a script of the repository, which is an input all the same.
func (f found) folders() []string {
	var folders []string
	for _, t := range f.visible {
		if isDirectory(t.path) {
			folders = append(folders, t.path)
		}
	}
	return folders
}

// hostFresh is how long the state of the host's packages is taken as it was seen, by
// a runner that keeps its indexes. Such a runner may live for days.
const hostFresh = time.Second

// hostSeen is that state, for many actions.
type hostSeen struct {
	mu    sync.Mutex
	state string
	when  time.Time
}

// hostState is the state of what the host has installed. A runner that keeps its
// indexes takes it once for all actions of a moment: what is installed then is
// noticed after the action, when the state is taken again.
func (r *Runner) hostState(index *digest.Index) string {
	if r.config.Indexes == nil {
		return packageState(index)
	}
	r.host.mu.Lock()
	defer r.host.mu.Unlock()
	if now := time.Now(); now.Sub(r.host.when) > hostFresh {
		before := r.host.state
		r.host.state, r.host.when = packageState(index), now
		if before != "" && before != r.host.state {
			r.ready.close() // what waits was begun before
		}
	}
	return r.host.state
}

func toolStates(ctx context.Context, seen found, index *digest.Index, host func() string) ([]action.Property, error) {
	var properties []action.Property
	if !seen.bare {
		properties = append(properties, action.Property{Name: "larder-host", Value: host()})
	}
	if seen.program != "" {
		program, err := digest.FileDigest(seen.program, index)
		if err != nil {
			return nil, fmt.Errorf("read the program %s: %w", seen.program, err)
		}
		properties = append(properties, action.Property{Name: "larder-program", Value: program.String()})
	}
	for _, t := range seen.visible {
		state, err := toolState(ctx, t, index, index.Function())
		if err != nil {
			return nil, fmt.Errorf("read the tool %s: %w", t.path, err)
		}
		properties = append(properties, action.Property{Name: "larder-tool", Value: t.path + " " + state})
	}
	if len(seen.bins) > 0 {
		properties = append(properties, action.Property{Name: "larder-path", Value: strings.Join(seen.bins, ":")})
	}
	return properties, nil
}

func toolState(ctx context.Context, t tool, index *digest.Index, fn digest.Function) (string, error) {
	info, err := os.Stat(t.path)
	if err != nil {
		return "", err
	}
	if len(t.packages) > 0 {
		return strings.Join(slices.Sorted(slices.Values(t.packages)), " "), nil
	}
	if !info.IsDir() {
		d, err := digest.FileDigest(t.path, index)
		return fmt.Sprintf("%s %#o", d, info.Mode().Perm()), err
	}
	var leftOut []string
	for _, hidden := range t.hidden {
		if relative, err := filepath.Rel(t.path, hidden); err == nil {
			leftOut = append(leftOut, relative)
		}
	}
	d, err := digest.StateFingerprint(ctx, t.path, fn, leftOut...)
	return d.String(), err
}

// packageState fingerprints what the host has installed: its release and the
// data bases of the package managers that there may be. /usr/local is outside of
// their care, so the folders that installing changes count by their times.
func packageState(index *digest.Index) string {
	var state strings.Builder
	for _, path := range []string{
		"/etc/os-release", "/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite",
		"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/lib/apk/db/installed",
	} {
		if d, err := digest.FileDigest(path, index); err == nil {
			fmt.Fprintf(&state, "%s %s\n", path, d)
		}
	}
	for _, path := range append(installFolders("/usr/local"), "/var/lib/pacman/local") {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&state, "%s %d\n", path, info.ModTime().UnixNano())
		}
	}
	return digest.Of(digest.BLAKE3, []byte(state.String())).Hash()
}

// installFolders lists the folders below prefix whose times change when something
// is installed there: by hand, or by the package managers of languages, which
// replace a package without touching anything above its own folder.
func installFolders(prefix string) []string {
	var folders []string
	for _, pattern := range []string{"*", "lib/*", "lib/python*/*-packages", "lib/node_modules/@*"} {
		found, _ := filepath.Glob(filepath.Join(prefix, pattern)) // fails for a wrong pattern only
		folders = append(folders, found...)
	}
	return folders
}

func missingTool(path string, err error) error {
	if isMissing(err) {
		return fmt.Errorf("tool %s: there is no such file or directory; check the --tool flag: %w", path, err)
	}
	return fmt.Errorf("tool %s: %w", path, err)
}

func readLink(path string) (string, error) {
	target, err := os.Readlink(path)
	if err != nil {
		return "", fmt.Errorf("read link: %w", err)
	}
	return target, nil
}
