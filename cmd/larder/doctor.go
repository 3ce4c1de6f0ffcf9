package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/caches"
	"larder/executor/local"
	"larder/sandbox"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "say what this machine offers and which way larder goes",
		Flags:        []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}},
		OnUsageError: usageError, Action: doctor,
	}
}

// finding is one thing that the doctor looked at.
type finding struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
	vital  bool   // larder run does not work without it
}

func doctor(_ context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	shop, bad, err := openAnyway(command)
	if err != nil {
		return err
	}
	findings := append(examine(shop), bad...)
	if command.Bool("json") {
		if err := printJSON(findings); err != nil {
			return err
		}
	} else if err := printFindings(findings); err != nil {
		return err
	}
	for _, f := range findings {
		if f.vital && !f.OK {
			return exitCode(1)
		}
	}
	return nil
}

// openAnyway is openHere without the configuration that is wrong, which becomes
// findings: larder run would refuse it.
func openAnyway(command *cli.Command) (*workshop, []finding, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, nil, fmt.Errorf("find the current directory: %w", err)
	}
	configured, bad := loadUsable(here)
	shop, err := whole(openConfigured(command, configured))
	if err != nil {
		// Of the rest only the store is needed; with that alone it is known whether
		// the settings were to blame.
		plain, again := whole(openConfigured(command, settings{Store: configured.Store}))
		if again != nil {
			return nil, nil, err
		}
		shop, bad = plain, append(bad, err)
	}
	var findings []finding
	for _, one := range bad {
		findings = append(findings, finding{
			What: "configuration", Detail: one.Error(), vital: true,
			Advice: "larder run and most other commands refuse this; all else here is as if it were not said",
		})
	}
	return shop, findings, nil
}

func printFindings(findings []finding) error {
	out := outlet{to: os.Stdout}
	for _, f := range findings {
		mark := "ok  "
		switch {
		case !f.OK && f.vital:
			mark = "FAIL"
		case !f.OK:
			mark = "no  "
		}
		out.printf("%s  %-18s %s\n", mark, f.What, f.Detail)
		if f.Advice != "" {
			out.printf("      %-18s %s\n", "", f.Advice)
		}
	}
	return out.err()
}

func examine(shop *workshop) []finding {
	offered, layout := sandbox.Probe(), shop.layout
	isVital := importance(shop.sandbox == local.KindNamespaces)
	return []finding{
		kindFinding(shop.sandbox, offered),
		isVital.to(kernelFinding(offered)),
		isVital.to(namespaceFinding(offered)),
		isVital.to(seccompFinding(offered)),
		overlayFinding(layout),
		reflinkFinding(layout),
		groupFinding(offered),
		{What: "store", OK: true, Detail: layout.Root()},
	}
}

// kindFinding says which sandbox a run gets.
func kindFinding(kind local.Kind, offered sandbox.Capabilities) finding {
	f := finding{What: "sandbox", OK: true, Detail: "namespaces: a command sees and reaches what it was given"}
	switch {
	case kind == local.KindDirectory:
		f.Detail = "directory, as was asked for: nothing keeps a command from the files and the network of this machine"
	case offered.Namespaces != nil && kind == local.KindNamespaces:
		f = finding{What: f.What, Detail: "namespaces, as was asked for, and there are none; a directory would do without (--sandbox auto)", vital: true}
	case offered.Namespaces != nil:
		f = finding{What: f.What, Detail: "directory, for want of namespaces: nothing keeps a command from the files and the network of this machine, and inputs and caches are copied"}
	}
	return f
}

// importance is whether nothing runs without what is looked at.
type importance bool

func (i importance) to(f finding) finding {
	f.vital = bool(i)
	return f
}

func kernelFinding(offered sandbox.Capabilities) finding {
	f := finding{What: "kernel", OK: offered.MountAPI, Detail: cmp.Or(offered.Kernel, runtime.GOOS)}
	if !f.OK {
		f.Advice = "namespaces need the new mount calls of Linux 5.12 or newer"
	}
	return f
}

func seccompFinding(offered sandbox.Capabilities) finding {
	if !offered.Seccomp {
		return finding{What: "seccomp", Detail: "system calls cannot be filtered", Advice: "use a kernel with CONFIG_SECCOMP_FILTER"}
	}
	return finding{What: "seccomp", OK: true, Detail: "system calls are filtered"}
}

func namespaceFinding(offered sandbox.Capabilities) finding {
	f := finding{What: "user namespaces", OK: offered.Namespaces == nil, Detail: "sandboxes can be made"}
	if offered.Namespaces != nil {
		f.Detail = offered.Namespaces.Error()
	}
	return f
}

// groupFinding says which limits hold for all processes of an action together,
// and how those that do not could.
func groupFinding(offered sandbox.Capabilities) finding {
	var held, loose []string
	for _, limit := range []sandbox.Limit{sandbox.LimitMemory, sandbox.LimitProcesses, sandbox.LimitCPUTime} {
		if version := offered.Groups[limit]; version > 0 {
			held = append(held, fmt.Sprintf("--%s (version %d)", limit, version))
		} else {
			loose = append(loose, "--"+string(limit))
		}
	}
	f := finding{What: "cgroups", OK: len(loose) == 0, Detail: "hold for an action as a whole: " + strings.Join(held, ", ")}
	if f.OK {
		return f
	}
	if len(held) == 0 {
		f.Detail = "none can be made"
	}
	f.Detail += "; only for each process alone: " + strings.Join(loose, ", ")
	f.Advice = "run larder in a session of systemd (systemd-run --user --scope -p Delegate=yes larder run ...), or in a container give it a cgroup that it may write to and that is not its top (--cgroupns=private with /sys/fs/cgroup writable, and a start script that moves all processes into a group below)"
	return f
}

func overlayFinding(layout caches.Layout) finding {
	f := finding{What: "overlayfs", OK: true, Detail: "inputs and caches are mounted, in constant time"}
	if err := sandbox.OverlayWorks(layout.Runs()); err != nil {
		f.OK, f.Detail = false, fmt.Sprintf("inputs and caches are copied for each run, in time with their size (%v)", err)
		f.Advice = "put the store on ext4, xfs, btrfs or tmpfs: --store DIR or LARDER_STORE"
	}
	return f
}

func reflinkFinding(layout caches.Layout) finding {
	if err := tryReflink(layout.Temp()); err != nil {
		return finding{What: "reflink", Detail: fmt.Sprintf("the file system of the store copies bytes (%v), which costs nothing where overlayfs is there", err), Advice: "xfs and btrfs share blocks between copies; it matters only where overlayfs is missing"}
	}
	return finding{What: "reflink", OK: true, Detail: "copies share their blocks"}
}

func tryReflink(folder string) error {
	temp, err := os.MkdirTemp(folder, "doctor-*")
	if err != nil {
		return fmt.Errorf("try a reflink: %w", err)
	}
	defer os.RemoveAll(temp)
	from, to := filepath.Join(temp, "from"), filepath.Join(temp, "to")
	if err := os.WriteFile(from, make([]byte, 4096), 0o600); err != nil {
		return fmt.Errorf("try a reflink: %w", err)
	}
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("try a reflink: %w", err)
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("try a reflink: %w", err)
	}
	defer target.Close()
	return caches.Clone(target, source)
}
