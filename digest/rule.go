package digest

import (
	"bytes"
	"strings"
)

// rule is one line of gitignore syntax.
//
// The matcher is our own because neither library at hand agrees with
// `git check-ignore` on the 148 cases of rule_test.go: go-git v5.16.4 differs in
// 29 (negated and named classes, `?` and a byte order mark, `dir/**`, `a**/b`),
// sabhiram/go-gitignore in 45 (the same, escapes, dots and brackets of names
// taken for regular expressions, directories re-included). Both would also cost
// an allocation for each name. TestLibrariesDisagreeWithGit tells when that ends.
type rule struct {
	// text is the glob without its `!` and its leading and trailing slash.
	text string
	// suffix is what a name must end with, for the common form `*suffix`.
	suffix string
	// prefix is what comes before the first wildcard of an anchored rule, less
	// its last byte, and text then what follows. The byte tells whether a `**`
	// follows a slash: in `a**/b` it is a plain `*`, says gitignore(5), and so
	// does git from 2.53 on. Before, git forgot the byte and found `a/x/b` too.
	prefix string
	// anchored rules match the path from the directory of the rule, others
	// match the last component of a path.
	anchored bool
	dirOnly  bool
	negated  bool
	// literal rules have no wildcard; text is then without escapes.
	literal bool
}

// wildcards are the bytes that mean something in a glob.
const wildcards = `*?[\`

// parseRule reads one line. It reports false when the line holds no rule.
func parseRule(line string) (rule, bool) {
	line = trimSpaces(line)
	if line == "" || line[0] == '#' {
		return rule{}, false
	}
	var r rule
	if line[0] == '!' {
		r.negated, line = true, line[1:]
	}
	return r.finish(line)
}

// finish reads what follows the `!` of a line.
func (r rule) finish(text string) (rule, bool) {
	if strings.HasSuffix(text, "/") {
		r.dirOnly, text = true, text[:len(text)-1]
	}
	r.anchored = strings.Contains(text, "/")
	r.text = strings.TrimPrefix(text, "/")
	if r.text == "" {
		return rule{}, false
	}
	if plain, ok := unescape(r.text); ok {
		r.literal, r.text = true, plain
	} else if r.anchored {
		wild := max(strings.IndexAny(r.text, wildcards)-1, 0)
		r.prefix, r.text = r.text[:wild], r.text[wild:]
	} else if rest := r.text[1:]; r.text[0] == '*' && !strings.ContainsAny(rest, wildcards) {
		r.suffix = rest
	}
	return r, true
}

// trimSpaces takes off trailing spaces but one that a backslash protects.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
		case '\\':
			i++
			end = min(i+1, len(line))
		default:
			end = i + 1
		}
	}
	return line[:end]
}

// unescape takes the backslashes off a glob without wildcards. It reports false
// when the glob has wildcards, or a backslash that protects nothing.
func unescape(glob string) (string, bool) {
	if !strings.ContainsAny(glob, wildcards) {
		return glob, true
	}
	var plain strings.Builder
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '*', '?', '[':
			return "", false
		case '\\':
			if i++; i == len(glob) {
				return "", false
			}
		}
		plain.WriteByte(glob[i])
	}
	return plain.String(), true
}

// subject is an entry that rules are asked about.
type subject struct {
	// path is relative to the directory of the rule, name its last component.
	path, name  string
	isDirectory bool
}

// matches reports whether the rule is about the entry.
func (r *rule) matches(about subject) bool {
	if r.dirOnly && !about.isDirectory {
		return false
	}
	text := about.name
	if r.anchored {
		var ok bool
		if text, ok = strings.CutPrefix(about.path, r.prefix); !ok {
			return false
		}
	}
	switch {
	case r.literal:
		return text == r.text
	case r.suffix != "":
		return strings.HasSuffix(text, r.suffix)
	}
	return wildmatch(r.text, text)
}

// parseRules reads an ignore file.
func parseRules(data []byte) []rule {
	var rules []rule
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		if r, ok := parseRule(strings.TrimSuffix(string(line), "\r")); ok {
			rules = append(rules, r)
		}
	}
	return rules
}

// ignores is the chain of ignore files in force in a directory: those of the
// directory itself, then those of the directories above it. A nil chain
// ignores nothing. It is not changed once made.
type ignores struct {
	rules []rule
	// base is the path, from the root, that the rules are relative to, with a
	// slash at its end unless it is empty.
	base  string
	above *ignores
	// sum is of the whole chain.
	sum sum
}

// newIgnores puts the rules of the ignore file data before the chain above.
func newIgnores(data []byte, base string, above *ignores) *ignores {
	text := appendText(nil, base)
	if above != nil {
		text = append(text, above.sum[:]...)
	}
	return &ignores{rules: parseRules(data), base: base, above: above, sum: sumOf(append(text, data...))}
}

// ignored reports whether an entry, with its path from the root, is left out.
// The last rule of the deepest file that matches decides.
func (c *ignores) ignored(about subject) bool {
	fromRoot := about.path
	for ; c != nil; c = c.above {
		about.path = fromRoot[len(c.base):]
		for i := len(c.rules) - 1; i >= 0; i-- {
			if c.rules[i].matches(about) {
				return !c.rules[i].negated
			}
		}
	}
	return false
}
