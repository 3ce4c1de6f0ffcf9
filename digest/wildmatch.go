package digest

import "strings"

// wildmatch reports whether the glob pattern matches the whole of text, by the
// rules that gitignore(5) and glob(7) give: `?`, `*` and classes match no slash;
// `**` between slashes or at an end matches any number of path components;
// elsewhere it is `*`. Bytes are compared, as git does, not characters.
//
// It keeps one point to go back to for the last `*` and one for the last `**`,
// so it takes time proportional to len(pattern) * len(text) at worst: an
// earlier star never has to be tried again once a later one of the same sort
// was reached.
func wildmatch(pattern, text string) bool {
	var star, globstar retry
	p, t := 0, 0
	for {
		if p < len(pattern) && pattern[p] == '*' {
			if next, ok := globstarAt(pattern, p); ok {
				if next == len(pattern) && pattern[next-1] == '*' {
					return true
				}
				globstar, star = retry{next, t, true}, retry{}
				p = next
				continue
			}
			for p < len(pattern) && pattern[p] == '*' {
				p++
			}
			star = retry{p, t, true}
			continue
		}
		if p == len(pattern) && t == len(text) {
			return true
		}
		if next, ok := matchOne(pattern, p, text, t); ok {
			p, t = next, t+1
			continue
		}
		if star.set && star.text < len(text) && text[star.text] != '/' {
			star.text++
			p, t = star.pattern, star.text
			continue
		}
		slash := -1
		if globstar.set {
			slash = strings.IndexByte(text[globstar.text:], '/')
		}
		if slash < 0 {
			return false
		}
		globstar.text += slash + 1
		p, t, star = globstar.pattern, globstar.text, retry{}
	}
}

// retry is where to go on when the text after a star does not match.
type retry struct {
	pattern, text int
	set           bool
}

// globstarAt reports whether at p in pattern stands a `**` that crosses
// slashes, and where the pattern goes on after it and its slash.
func globstarAt(pattern string, p int) (int, bool) {
	end := p
	for end < len(pattern) && pattern[end] == '*' {
		end++
	}
	if end-p < 2 || p > 0 && pattern[p-1] != '/' {
		return 0, false
	}
	if end == len(pattern) {
		return end, true
	}
	return end + 1, pattern[end] == '/'
}

// matchOne matches one byte of text with what stands at p in pattern, and
// returns where the pattern goes on.
func matchOne(pattern string, p int, text string, t int) (int, bool) {
	if p == len(pattern) || t == len(text) {
		return 0, false
	}
	switch c := pattern[p]; c {
	case '?':
		return p + 1, text[t] != '/'
	case '[':
		next, in, ok := matchClass(pattern, p, text[t])
		return next, ok && in && text[t] != '/'
	case '\\':
		if p+1 == len(pattern) {
			return 0, false
		}
		return p + 2, pattern[p+1] == text[t]
	default:
		return p + 1, c == text[t]
	}
}

// matchClass matches c with the class that opens at p. It returns where the
// pattern goes on, whether c is in the class, and whether the class is closed;
// one that is not closed matches nothing.
func matchClass(pattern string, p int, c byte) (next int, in, ok bool) {
	p++
	negated := p < len(pattern) && (pattern[p] == '!' || pattern[p] == '^')
	if negated {
		p++
	}
	for first := true; p < len(pattern); first = false {
		if pattern[p] == ']' && !first {
			return p + 1, in != negated, true
		}
		if name, end, found := namedClass(pattern, p); found {
			member, known := inNamedClass(name, c)
			if !known {
				return 0, false, false
			}
			in, p = in || member, end
			continue
		}
		low, end, closed := classByte(pattern, p)
		high := low
		if closed && end+1 < len(pattern) && pattern[end] == '-' && pattern[end+1] != ']' {
			high, end, closed = classByte(pattern, end+1)
		}
		if !closed {
			return 0, false, false
		}
		in, p = in || low <= c && c <= high, end
	}
	return 0, false, false
}

// classByte reads one byte of a class, which a backslash may escape.
func classByte(pattern string, p int) (c byte, next int, ok bool) {
	if pattern[p] == '\\' {
		p++
	}
	if p >= len(pattern) {
		return 0, p, false
	}
	return pattern[p], p + 1, true
}

// namedClass reads `[:name:]` at p.
func namedClass(pattern string, p int) (name string, next int, found bool) {
	if !strings.HasPrefix(pattern[p:], "[:") {
		return "", 0, false
	}
	closing := strings.IndexByte(pattern[p+2:], ']')
	if closing < 1 || pattern[p+2+closing-1] != ':' {
		return "", 0, false
	}
	return pattern[p+2 : p+2+closing-1], p + 2 + closing + 1, true
}

// inNamedClass reports whether c is in a class of ASCII characters.
func inNamedClass(name string, c byte) (in, known bool) {
	upper, lower, digit := 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9'
	graph := ' ' < c && c <= '~'
	switch name {
	case "alnum":
		return upper || lower || digit, true
	case "alpha":
		return upper || lower, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 127, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !upper && !lower && !digit, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	}
	return false, false
}
