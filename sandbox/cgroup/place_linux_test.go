package cgroup

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What processes see of their groups on machines of different kinds.
const (
	mixedMounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
	mixedMembership = "4:memory:/users/me\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/session\n"

	containerMounts     = "33 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
	containerMembership = "4:memory:/docker/abc/job\n"
)

func TestHierarchiesOfAMachineWithBothVersions(t *testing.T) {
	var got []string
	for _, h := range hierarchies(mixedMounts, mixedMembership) {
		got = append(got, h.own)
	}
	want := []string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory/users/me", "/sys/fs/cgroup/unified/session"}
	if slices.Index(got, "/sys/fs/cgroup/systemd") >= 0 || !reflect.DeepEqual(slices.DeleteFunc(got, func(s string) bool { return strings.Contains(s, "systemd") }), want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAHierarchyThatIsMountedInPart(t *testing.T) {
	found := hierarchies(containerMounts, containerMembership)
	if len(found) != 1 || found[0].own != "/sys/fs/cgroup/memory/job" {
		t.Errorf("got %+v", found)
	}
	if outside := hierarchies(containerMounts, "4:memory:/docker/other\n"); len(outside) != 0 {
		t.Errorf("a group outside of what is mounted: %+v", outside)
	}
}

func TestTablesOfAnyShapeAreRead(t *testing.T) {
	line := rapid.SliceOfN(rapid.SampledFrom([]string{"33", "/", "/a", "-", "cgroup", "cgroup2", "rw,memory", "0::/x", "4:memory:/m", ":", "\n", "::"}), 0, 20)
	rapid.Check(t, func(r *rapid.T) {
		mounts, membership := strings.Join(line.Draw(r, "mounts"), " "), strings.Join(line.Draw(r, "membership"), "")
		for _, h := range hierarchies(mounts, membership) {
			if !strings.HasPrefix(h.own, filepath.Clean(h.mount)) {
				r.Fatalf("%+v leads out of its mount", h)
			}
		}
	})
}

// tree makes what a group directory of version 2 looks like, in a plain folder.
// The top of all groups has no type.
func tree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// inner is a group whose processes are all in groups below it, which have the
// controllers that it has itself.
func inner(controllers string) map[string]string {
	return map[string]string{"cgroup.type": "domain\n", "cgroup.procs": "", "cgroup.subtree_control": controllers, "cgroup.controllers": controllers}
}

func crowded(controllers string) map[string]string {
	files := inner(controllers)
	files["cgroup.procs"] = "123\n"
	return files
}

func TestTheNearestGroupThatHasAllIsTaken(t *testing.T) {
	all := []Kind{Memory, Processes, CPUTime}
	for name, c := range map[string]struct {
		user, slice, scope map[string]string
		wanted, served     []Kind
		dir                string
	}{
		"beside the caller":                     {inner("memory pids"), inner("pids memory"), crowded(""), all, all, "user/slice"},
		"further up":                            {inner("memory pids"), inner("cpu"), crowded(""), all, all, "user"},
		"where there are processes":             {inner("memory pids"), crowded("pids"), crowded(""), all, all, "user"},
		"never in the caller's own":             {nil, nil, crowded("pids"), []Kind{Processes}, nil, ""},
		"time in the caller's own":              {nil, nil, crowded(""), all, []Kind{CPUTime}, "user/slice/scope"},
		"time not where others are turned on":   {nil, nil, crowded("pids"), []Kind{CPUTime}, nil, ""},
		"as much as there is, and time with it": {nil, inner("pids"), crowded(""), all, []Kind{Processes, CPUTime}, "user/slice"},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			for dir, files := range map[string]map[string]string{"user": c.user, "user/slice": c.slice, "user/slice/scope": c.scope} {
				tree(t, filepath.Join(top, dir), files)
			}
			own := filepath.Join(top, "user/slice/scope")
			var want []place
			if c.dir != "" {
				want = []place{{filepath.Join(top, c.dir), V2, c.served}}
			}
			if got := choose([]hierarchy{{mount: top, own: own, unified: true}}, c.wanted); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestVersion1ServesWhatVersion2Lacks(t *testing.T) {
	top, old := t.TempDir(), t.TempDir()
	tree(t, top, map[string]string{"cgroup.procs": "1\n"})
	tree(t, old, map[string]string{"cgroup.procs": "1\n"})
	got := choose([]hierarchy{
		{mount: old, own: old, controllers: []string{"rw", "memory"}},
		{mount: top, own: top, unified: true},
	}, []Kind{Memory, Processes, CPUTime})
	want := []place{{top, V2, []Kind{CPUTime}}, {old, V1, []Kind{Memory}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
