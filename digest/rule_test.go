package digest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gitlib "github.com/go-git/go-git/v5/plumbing/format/gitignore"
	sabhiram "github.com/sabhiram/go-gitignore"
	"pgregory.net/rapid"
)

// needGit skips the test without git, but not in continuous integration.
func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
}

// git runs git in dir, untouched by the user's configuration.
func git(t testing.TB, dir, input string, args ...string) string {
	t.Helper()
	command := exec.Command("git", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir, "XDG_CONFIG_HOME="+dir, "LC_ALL=C")
	command.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	// check-ignore exits with 1 when nothing is ignored.
	if exit, ok := err.(*exec.ExitError); err != nil && !(ok && exit.ExitCode() == 1 && args[0] == "check-ignore") {
		t.Fatalf("git %v: %v\n%s", args, err, &stderr)
	}
	return string(out)
}

// newRepository makes a repository that has paths; those that end with a slash
// are directories.
func newRepository(t testing.TB, paths []string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "", "init", "-q")
	for _, p := range paths {
		writeTree(t, dir, map[string]string{p: "x"})
	}
	return dir
}

// gitIgnores asks git which of paths the lines ignore. The lines stand in one
// .gitignore at the top.
func gitIgnores(t testing.TB, repository string, lines string, paths []string) []string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(repository, ".gitignore"), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	var input strings.Builder
	for _, p := range paths {
		// With a slash at its end git takes it for the name of something in it.
		input.WriteString(strings.TrimSuffix(p, "/") + "\x00")
	}
	out := git(t, repository, input.String(), "check-ignore", "--no-index", "-z", "--stdin")
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 })
}

// gitForgets reports whether this git is one before 2.53, which takes a `**`
// behind a literal prefix for one behind a slash.
func gitForgets(t testing.TB, repository string) bool {
	t.Helper()
	return len(gitIgnores(t, repository, "a**/b", []string{"a/a/a/a/b"})) > 0
}

// starsInAWord are two stars that do not follow a slash or begin a line.
var starsInAWord = regexp.MustCompile(`[^\n/*!]\*\*|[^\n]!\*\*`)

// oursIgnores is the same by our rules, with git's rule that nothing below an
// ignored directory comes back.
func oursIgnores(lines string, paths []string) []string {
	chain := &ignores{rules: parseRules([]byte(lines))}
	var out []string
	for _, p := range paths {
		plain := strings.TrimSuffix(p, "/")
		names := strings.Split(plain, "/")
		for n := range names {
			isDir := n < len(names)-1 || plain != p
			if chain.ignored(subject{path: strings.Join(names[:n+1], "/"), name: names[n], isDirectory: isDir}) {
				out = append(out, plain)
				break
			}
		}
	}
	return out
}

var rulePaths = []string{
	"a", "b", "ab", "abc", "a.py", "b.pyc", "A.PY", ".hidden", "#hash", "!bang", "with space", "trail ", "tab\t", "star*", "que?",
	"[x]", "back\\slash", "é", "x-y", "a+b", "a.b", "axb", "(p)", "{c}", "$d", "^e", "]", "-", "7", "_", "build/", "build/x", "build/sub/x.py",
	"build/sub/", "src/", "src/build/", "src/build/x", "src/a/b/c", "src/a/", "src/a/b/", "src/x.py", "src/deep/er/x.py", "doc/frotz", "y/doc/frotz", "doc/",
	"foo/bar", "foo/x/bar", "foo/x/y/bar", "foo/barn", "foobar", "x/foo/bar", "x/foo/", "logs/debug.log", "logs/", "logs/a/debug.log", "debug.log",
}

var ruleCases = []string{
	"a", "/a", "a/", "*.py", "*.py[co]", "!a", "*\n!a", "*\n!*/\n!*.py", "build", "build/", "/build", "/build/", "build/*", "build/**", "build/*\n!build/sub",
	"build/\n!build/x", "**/build", "**/build/", "**/x.py", "src/**", "src/**/x.py", "src/**/c", "src/*/c", "src/*/*/c", "src/**/b", "**", "**/", "*", "*/", "/*", "/**", "/*\n!/src",
	"doc/frotz", "doc/frotz/", "/doc/frotz", "foo/**/bar", "foo/**", "foo/*", "foo**bar", "foo**/bar", "**foo", "**/foo/bar", "foo/**/**/bar", "***", "foo/***/bar", "src/**/",
	"logs/**/debug.log", "logs/*.log", "*.log\n!debug.log", "*.log\n!/debug.log", "!*.log\n*.log",
	`\#hash`, "#hash", `\!bang`, "!bang", `star\*`, `que\?`, "que?", "star*", `back\\slash`, `back\slash`, `\a`, `a\`, `\`, `\[x\]`, "[x]", "[[]x]",
	"with space", "with space ", `with\ space`, "trail ", `trail\ `, `trail\  `, `trail\\ `, "tab\t", "a \n b", " a", "a   ",
	"[ab]", "[!ab]", "[^ab]", "[a-c]*", "[!a-z]", "[]]", "[]-]", "[!]]", "[a-]", "[-_]", "[[:digit:]]", "[[:alpha:]]", "[![:alpha:]]", "[[:alpha:][:digit:]]", "[[:nope:]]", "[[:punct:]]",
	"[[:upper:]].PY", "[z-a]", "[ab", "a[", "[a/b]", "src[/]x.py", `[\]]`, `[\\]*`, `[a\-z]`, "[[:space:]]", "with[[:space:]]space", "[:alpha:]",
	"?", "??", "a?b", "a.b", "a+b", "(p)", "{c}", "{a,b}", "$d", "^e", "é", "??y", "?.py",
	"/", "//", "a//", "./a", "../a", "", "\n\n", "a\r\nb\r\n", "\ufeffa", "a\n\n# comment\n!a\n", "!", "!/", "!!bang", "/a/", "src/a/", "src/a", "a/b/c", "/*/a", "*/a/*", "s?c/a", "*r*/*a*/*b*",
	"src/a/b/c\n!src/a/b/c", "/src/**\n!/src/a/\n!/src/a/b/", "foo/\n!foo/", "x*y", "x*\n!x-y", "*[ab]*", "*a*b*c*", "*.p*y*",
}

func TestRulesAreGits(t *testing.T) {
	needGit(t)
	repository := newRepository(t, rulePaths)
	forgets := gitForgets(t, repository)
	for _, lines := range ruleCases {
		if forgets && starsInAWord.MatchString(lines) {
			continue
		}
		got, want := oursIgnores(lines, rulePaths), gitIgnores(t, repository, lines, rulePaths)
		if !slices.Equal(got, want) {
			t.Errorf("%q ignores\n %q, git says\n %q", lines, got, want)
		}
	}
}

// Two stars within a word are one, whatever the git at hand makes of them.
func TestStarsInAWord(t *testing.T) {
	for lines, want := range map[string][]string{
		"foo**/bar": {"foo/bar"}, "f**/bar": {"foo/bar"}, "foo**bar": {"foobar"}, "/f**r": {"foobar"}, "src**/c": nil,
		"x/f**/bar": {"x/foo/bar"}, "foo/**/bar": {"foo/bar", "foo/x/bar", "foo/x/y/bar"}, "foo/x**": {"foo/x/bar", "foo/x/y/bar"},
	} {
		if got := oursIgnores(lines, rulePaths); !slices.Equal(got, want) {
			t.Errorf("%q ignores\n %q, not\n %q", lines, got, want)
		}
	}
}

// TestLibrariesDisagreeWithGit is the reason for a matcher of our own. When it
// fails, a library has become right, and should be used instead.
func TestLibrariesDisagreeWithGit(t *testing.T) {
	needGit(t)
	repository := newRepository(t, rulePaths)
	wrong := map[string][]string{}
	for _, lines := range ruleCases {
		want := gitIgnores(t, repository, lines, rulePaths)
		for name, match := range map[string]func(path string) bool{"go-git": goGit(lines), "sabhiram": sabhiram.CompileIgnoreLines(strings.Split(lines, "\n")...).MatchesPath} {
			var got []string
			for _, p := range rulePaths {
				if match(p) {
					got = append(got, strings.TrimSuffix(p, "/"))
				}
			}
			if !slices.Equal(got, want) {
				wrong[name] = append(wrong[name], lines)
			}
		}
	}
	for _, name := range []string{"go-git", "sabhiram"} {
		t.Logf("%s is wrong in %d of %d cases: %q", name, len(wrong[name]), len(ruleCases), wrong[name])
		if len(wrong[name]) == 0 {
			t.Errorf("%s agrees with git in every case now: use it", name)
		}
	}
}

func goGit(lines string) func(path string) bool {
	var patterns []gitlib.Pattern
	for line := range strings.SplitSeq(lines, "\n") {
		if line != "" && line[0] != '#' {
			patterns = append(patterns, gitlib.ParsePattern(line, nil))
		}
	}
	matcher := gitlib.NewMatcher(patterns)
	return func(path string) bool {
		plain := strings.TrimSuffix(path, "/")
		names := strings.Split(plain, "/")
		for n := range names {
			if matcher.Match(names[:n+1], n < len(names)-1 || plain != path) {
				return true
			}
		}
		return false
	}
}

// TestAnyRulesAreGits holds random rules over a small alphabet against git.
func TestAnyRulesAreGits(t *testing.T) {
	needGit(t)
	paths := []string{"ab", "ba", "aa", "a.b", "a/", "a/b/", "a/b/a", "b/a/b/a", "a/a/a/a/b", "b/", "b/b/b", "bb/ab", "bb/", "b/ab/a.b", "[a", "a]b", "! a", "b ", "a/ b", "ab.", "aba/b/ab"}
	repository := newRepository(t, paths)
	forgets := gitForgets(t, repository)
	piece := rapid.SampledFrom([]string{"a", "b", "a", "b", "*", "**", "?", "/", "/**/", "**/", "/*", "[ab]", "[!a]", "[", "]", "\\", "!", " ", "."})
	line := rapid.Custom(func(r *rapid.T) string {
		return strings.Join(rapid.SliceOfN(piece, 1, 7).Draw(r, "pieces"), "")
	})
	rapid.Check(t, func(r *rapid.T) {
		lines := strings.Join(rapid.SliceOfN(line, 1, 3).Draw(r, "lines"), "\n")
		if forgets && starsInAWord.MatchString(lines) {
			return
		}
		got, want := oursIgnores(lines, paths), gitIgnores(t, repository, lines, paths)
		if !slices.Equal(got, want) {
			r.Fatalf("%q ignores\n %q, git says\n %q", lines, got, want)
		}
	})
}

func TestWildmatchTakesNoExponentialTime(t *testing.T) {
	pattern := strings.Repeat("*a", 40) + "*b"
	if wildmatch(pattern, strings.Repeat("a", 4000)) {
		t.Error("matched a text without b")
	}
	if wildmatch(strings.Repeat("**/*a/", 20)+"b", strings.Repeat("xa/", 300)+"c") {
		t.Error("matched a path that ends with c")
	}
}

// FuzzRule looks for rules that crash the matcher or the look ahead.
func FuzzRule(f *testing.F) {
	for _, lines := range ruleCases {
		f.Add(lines, "src/a/b/c")
	}
	f.Fuzz(func(t *testing.T, lines, path string) {
		if checkPath(path) != nil || len(lines) > 200 || len(path) > 200 {
			return
		}
		chain := &ignores{rules: parseRules([]byte(lines))}
		if chain.ignored(subject{path: path, name: lastComponent(path)}) && len(chain.rules) == 0 {
			t.Error("ignored without a rule")
		}
		s, err := newSelection(strings.Split(lines, "\n"), nil)
		if err != nil || !strings.Contains(path, "/") {
			return
		}
		// What is selected below a directory must be reached through it.
		dir := path[:strings.LastIndexByte(path, '/')]
		if v := s.judge(subject{path: path, name: lastComponent(path)}, -1); v.selected && !s.reaches(dir, -1) {
			t.Errorf("%q selects %q but does not look into %q", lines, path, dir)
		}
	})
}
