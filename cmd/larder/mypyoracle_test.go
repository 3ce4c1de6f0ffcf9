package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"larder/executor/action"
)

// TestMypyThroughTheCacheSaysWhatAColdMypySays makes random edits to two copies
// of a package in one repository and checks both at the same time, each by a
// larder of its own on the one cache of the repository: the harshest use that a
// cache gets, since what one publishes is about other sources than the next one
// has, at the same paths. Whatever the cache then holds, exit code and output are
// those of mypy alone without any cache, or with a cache of its own in a plain
// folder: where a module is new to an import of an old one, warm mypy may say that
// its package has no such attribute (2 of 100 sequences), with larder or without.
// LARDER_STRESS=1 makes 300 sequences.
func TestMypyThroughTheCacheSaysWhatAColdMypySays(t *testing.T) {
	if missing := readmeNeeds(); missing != nil {
		gate(t, "what the oracle needs", missing)
	}
	oracle := newMypyOracle(t)
	sequences, steps := 4, 3
	if os.Getenv("LARDER_STRESS") != "" {
		sequences, steps = 300, 5
	}
	for i := range sequences {
		flag, key := "", "{version}"
		if i%2 == 1 {
			flag, key = "--no-sqlite-cache", "{version}-files"
		}
		t.Run(fmt.Sprint("sequence ", i, flag), func(t *testing.T) {
			t.Parallel()
			s := &mypySequence{mypyOracle: oracle, random: rand.New(rand.NewPCG(1, uint64(i))), flag: flag, key: key, repository: t.TempDir()}
			s.check(t, steps)
		})
	}
	t.Cleanup(func() { t.Logf("what became of the caches: %v", oracle.outcomes) })
}

// fileOf is the file that a line of mypy is about.
func fileOf(line string) string {
	file, _, _ := strings.Cut(line, ":")
	return file
}

// mypyOracle is what all sequences share.
type mypyOracle struct {
	larder, environment string
	mu                  *sync.Mutex
	outcomes            map[string]int
}

// newMypyOracle installs mypy and builds larder.
func newMypyOracle(t *testing.T) mypyOracle {
	environment := filepath.Join(t.TempDir(), "environment")
	install := exec.Command("sh", "-c", `python3 -m venv "$0" && "$0/bin/pip" install -q mypy`, environment)
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("install mypy: %v\n%s", err, output)
	}
	return mypyOracle{buildLarder(t), environment, &sync.Mutex{}, map[string]int{}}
}

func (o *mypyOracle) count(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.outcomes[outcome]++
}

// mypySequence is a repository with two copies of a package.
type mypySequence struct {
	mypyOracle
	random     *rand.Rand
	flag, key  string
	repository string
	cold       sync.Map // state of a package to what a cold mypy says
	past       []pythonPackage
}

func (s *mypySequence) check(t *testing.T, steps int) {
	for _, folder := range []string{".git", "one", "two"} {
		if err := os.Mkdir(filepath.Join(s.repository, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	one := newPythonPackage(s.random)
	two := one.clone()
	for step := range steps {
		s.move(&one, &two)
		s.past = append(s.past, one.clone(), two.clone())
		var both sync.WaitGroup
		for i, source := range []*pythonPackage{&one, &two} {
			name := []string{"one", "two"}[i]
			results := oneOf(s.random, "off", "off", "off", "read-write")
			both.Go(func() {
				if err := s.compare(name, source, results); err != nil {
					t.Errorf("step %d, %s, --results %s: %v", step, name, results, err)
				}
			})
		}
		both.Wait()
		if t.Failed() {
			return
		}
	}
}

// move edits each copy, or lets one catch up with the other.
func (s *mypySequence) move(one, two *pythonPackage) {
	for range 1 + s.random.IntN(3) {
		one.edit(s.random)
	}
	switch s.random.IntN(4) {
	case 0:
		*two = one.clone()
	default:
		two.edit(s.random)
	}
}

// compare runs mypy over one copy through the cache and alone.
func (s *mypySequence) compare(name string, source *pythonPackage, results string) error {
	root := filepath.Join(s.repository, name)
	if err := source.write(root); err != nil {
		return err
	}
	record := filepath.Join(s.repository, name+".json")
	through, err := s.run(root, s.larder, "--store", filepath.Join(s.repository, "store"), "run", "-C", root, "--preset", "mypy",
		"--mutable", "mypy,key="+s.key, "--results", results, "--json", record, "--", "mypy", s.flag, "pkg")
	if err != nil {
		return err
	}
	result, err := readRecord(record)
	if err != nil {
		return err
	}
	s.countCaches(result)
	cold, err := s.coldRun(root, source.state())
	if err != nil {
		return err
	}
	if through != cold && s.isOfMypy(name, source, through) {
		s.count("mypy's own mistake")
		return nil
	}
	if through != cold {
		return fmt.Errorf("through the cache (%v), mypy said:\n%s\nalone:\n%s\nthe package:\n%s", result.Caches, through, cold, source.state())
	}
	return nil
}

// isOfMypy reports whether mypy alone says the same with a cache in a plain folder,
// from a check of any package that the repository has held so far.
func (s *mypySequence) isOfMypy(name string, source *pythonPackage, said string) bool {
	root := filepath.Join(s.repository, "alone-"+name)
	mypy := func(p *pythonPackage) string {
		if p.write(root) != nil {
			return ""
		}
		out, _ := s.run(root, "mypy", "--cache-dir=cache", s.flag, "pkg")
		return out
	}
	for _, earlier := range s.past {
		if os.RemoveAll(root) != nil || os.Mkdir(root, 0o755) != nil {
			return false
		}
		mypy(&earlier)
		if mypy(source) == said {
			return true
		}
	}
	return false
}

func (s *mypySequence) countCaches(result *action.Result) {
	if len(result.Caches) == 0 {
		s.count("answered")
	}
	for _, cache := range result.Caches {
		s.count(string(cache.Outcome))
	}
}

// coldRun is what mypy says without a cache; the same package is asked once.
func (s *mypySequence) coldRun(root, state string) (string, error) {
	if said, ok := s.cold.Load(state); ok {
		return said.(string), nil
	}
	said, err := s.run(root, "mypy", "--cache-dir=/dev/null", "pkg")
	s.cold.Store(state, said)
	return said, err
}

// run returns the exit code and all that was said but larder's own words, by
// files: in which order mypy looks at modules that do not need each other depends
// on what is in its cache, with larder or without.
func (s *mypySequence) run(root string, argv ...string) (string, error) {
	if i := len(argv) - 2; argv[i] == "" {
		argv = append(argv[:i:i], argv[i+1:]...)
	}
	command := exec.Command(argv[0], argv[1:]...)
	if argv[0] == "mypy" {
		command.Path = filepath.Join(s.environment, "bin", "mypy")
		command.Err = nil
	}
	var out bytes.Buffer
	command.Dir, command.Stdout, command.Stderr = root, &out, &out
	command.Env = append(os.Environ(), "PATH="+filepath.Join(s.environment, "bin")+":"+os.Getenv("PATH"), "MYPY_CACHE_DIR=")
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", fmt.Errorf("start %s: %w", argv[0], err)
	}
	said := slices.DeleteFunc(slices.Collect(strings.Lines(out.String())), func(line string) bool { return strings.HasPrefix(line, "larder: ") })
	slices.SortStableFunc(said, func(a, b string) int { return strings.Compare(fileOf(a), fileOf(b)) })
	return fmt.Sprintf("exit code %d\n%s", command.ProcessState.ExitCode(), strings.Join(said, "")), nil
}
