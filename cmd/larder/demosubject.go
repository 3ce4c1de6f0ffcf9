package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// subject is a real code base and the type checker that looks at it.
type subject struct {
	title  string
	mypy   []string // how the bare tool is called
	tool   []string // flags of larder run that make the tool visible
	target string   // what is checked, relative to the repository
	edit   string   // a file below target that is edited
	source string   // folder to copy the repository from
}

// prepareSubject installs mypy and Django, or falls back to what Debian has.
func (d *demonstration) prepareSubject(ctx context.Context) (*subject, error) {
	chosen, err := d.django(ctx)
	if err != nil {
		d.out.printf("no mypy and Django by pip (%v); Debian's mypy over the standard library of Python instead\n", err)
		if chosen, err = d.standardLibrary(ctx); err != nil {
			return nil, err
		}
	}
	for _, repository := range []string{"one", "two", "bare", "bare-two"} {
		if err := copyRepository(chosen, d.path(repository)); err != nil {
			return nil, err
		}
	}
	return chosen, nil
}

// perform runs a step of the preparation, names it, and shows what it said when
// it failed.
func (d *demonstration) perform(ctx context.Context, argv ...string) error {
	d.out.printf("+ %s\n", strings.Join(argv, " "))
	done, err := d.start(ctx, d.dir, argv...)
	if err != nil {
		return err
	}
	if done.code != 0 {
		d.out.printf("%s\n", strings.TrimSpace(tail(done.output)))
		return fmt.Errorf("%s: exit code %d", filepath.Base(argv[0]), done.code)
	}
	return nil
}

func (d *demonstration) django(ctx context.Context) (*subject, error) {
	python := d.path("venv", "bin", "python")
	mypy := d.path("venv", "bin", "mypy")
	installed := d.path("django")
	version, err := d.start(ctx, d.dir, mypy, "--version")
	if _, missing := os.Stat(filepath.Join(installed, "django")); err != nil || version.code != 0 || missing != nil {
		for _, argv := range [][]string{
			{"python3", "-m", "venv", "--clear", d.path("venv")},
			{python, "-m", "pip", "install", "--quiet", "mypy"},
			{python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--upgrade", "--target", installed, "django"},
		} {
			if err := d.perform(ctx, argv...); err != nil {
				return nil, err
			}
		}
		if version, err = d.start(ctx, d.dir, mypy, "--version"); err != nil {
			return nil, err
		}
	}
	return &subject{
		title: strings.TrimSpace(version.output) + " over Django " + djangoVersion(installed),
		mypy:  []string{mypy}, tool: []string{"--tool", d.path("venv")},
		target: "django", edit: "django/utils/text.py", source: installed,
	}, nil
}

// djangoVersion reads it from the name of the folder that pip leaves.
func djangoVersion(installed string) string {
	found, _ := filepath.Glob(filepath.Join(installed, "[dD]jango-*.dist-info"))
	if len(found) == 0 {
		return "of an unknown version"
	}
	_, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(found[0]), ".dist-info"), "-")
	return version
}

// standardLibrary takes the mypy that is installed. Root gets Debian's.
func (d *demonstration) standardLibrary(ctx context.Context) (*subject, error) {
	if _, err := exec.LookPath("mypy"); err != nil {
		if err := d.installMypy(ctx); err != nil {
			return nil, fmt.Errorf("the demo has no mypy: %w; make python3 -m venv and pip work (Debian's package is python3-venv), or install mypy (Debian's package is mypy), and run it again", err)
		}
	}
	found, err := d.start(ctx, d.dir, "python3", "-c", "import json; print(json.__path__[0])")
	if err != nil {
		return nil, err
	}
	version, err := d.start(ctx, d.dir, "mypy", "--version")
	if err != nil {
		return nil, err
	}
	library := filepath.Dir(strings.TrimSpace(found.output))
	return &subject{
		title: strings.TrimSpace(version.output) + " over the standard library of Python in " + library,
		mypy:  []string{"mypy"}, target: "email", edit: "email/utils.py", source: library,
	}, nil
}

// installMypy does what takes root. Lists of packages that are old, or that
// cannot be renewed, may still do.
func (d *demonstration) installMypy(ctx context.Context) error {
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return errors.New("neither by pip nor on PATH")
	}
	if err := d.perform(ctx, "apt-get", "update", "-qq"); err != nil {
		d.out.printf("going on with the lists of packages that are there (%v)\n", err)
	}
	return d.perform(ctx, "apt-get", "install", "-y", "-qq", "mypy")
}

// copyRepository makes a repository with the target in it.
func copyRepository(s *subject, to string) error {
	if err := os.MkdirAll(filepath.Join(to, ".git"), 0o755); err != nil {
		return fmt.Errorf("make a repository: %w", err)
	}
	from := filepath.Join(s.source, s.target)
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("copy the repository: %w", err)
		}
		relative, err := filepath.Rel(s.source, path)
		if err != nil {
			return fmt.Errorf("copy the repository: %w", err)
		}
		switch {
		case entry.IsDir() && entry.Name() == "__pycache__":
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		return copyFile(path, filepath.Join(to, relative))
	})
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}
