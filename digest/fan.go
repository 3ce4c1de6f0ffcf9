package digest

import (
	"container/heap"
	"slices"
)

// claim is one of the different entries under a name. Its Path is only that.
type claim struct {
	entry     Entry
	producers []int // the first of them is the least; see inOrder
	voices    int   // how many directories it was found in
}

// inOrder returns the producers in their order.
func (c *claim) inOrder() []int { return slices.Sorted(slices.Values(c.producers)) }

// claimSet gathers claims. With more than a few it uses a map: a thousand trees
// may all have the same directory, each with other content.
type claimSet struct {
	list []claim
	at   map[Entry]int
}

const fewClaims = 8

func (s *claimSet) add(e Entry, producers []int) {
	if i := s.find(e); i >= 0 {
		one := &s.list[i]
		if one.voices == 1 {
			one.producers = slices.Clip(one.producers) // it is the voice's own
		}
		one.producers = append(one.producers, producers...)
		one.voices++
		return
	}
	s.list = append(s.list, claim{e, producers, 1})
	if s.at != nil {
		s.at[e] = len(s.list) - 1
	}
}

func (s *claimSet) find(e Entry) int {
	if s.at == nil && len(s.list) < fewClaims {
		return slices.IndexFunc(s.list, func(c claim) bool { return c.entry == e })
	}
	if s.at == nil {
		s.at = map[Entry]int{}
		for i, one := range s.list {
			s.at[one.entry] = i
		}
	}
	if i, found := s.at[e]; found {
		return i
	}
	return -1
}

// fan goes through several directories at once, name by name.
type fan struct {
	cursors cursors
	claims  claimSet
}

// add gives the fan one more directory, which is the voice of this number.
func (f *fan) add(voice int, content Directory) {
	c := &cursor{voice: voice, rest: content}
	if c.advance() {
		heap.Push(&f.cursors, c)
	}
}

// next returns the claims to the next name, in the order of the voices; none at
// the end. They are good until next is called again.
func (f *fan) next(voices []voice) []claim {
	f.claims.list, f.claims.at = f.claims.list[:0], nil
	for len(f.cursors) > 0 {
		c := f.cursors[0]
		if len(f.claims.list) > 0 && f.claims.list[0].entry.Path != c.entry.Path {
			break
		}
		f.claims.add(c.entry, voices[c.voice].producers)
		if c.advance() {
			heap.Fix(&f.cursors, 0)
		} else {
			heap.Pop(&f.cursors)
		}
	}
	return f.claims.list
}

// cursor goes through one directory by name.
type cursor struct {
	voice int
	entry Entry // its Path is the name
	rest  Directory
}

// advance moves to the next name, if there is one.
func (c *cursor) advance() bool {
	kind, name := Kind(0), ""
	if r := c.rest.Files; len(r) > 0 {
		kind, name = KindFile, r[0].Name
	}
	if r := c.rest.Directories; len(r) > 0 && (kind == 0 || r[0].Name < name) {
		kind, name = KindDirectory, r[0].Name
	}
	if r := c.rest.Symlinks; len(r) > 0 && (kind == 0 || r[0].Name < name) {
		kind, name = KindSymlink, r[0].Name
	}
	c.entry = Entry{Path: name, Kind: kind}
	switch kind {
	case KindFile:
		c.entry.Digest, c.entry.Executable = c.rest.Files[0].Digest, c.rest.Files[0].Executable
		c.rest.Files = c.rest.Files[1:]
	case KindDirectory:
		c.entry.Digest = c.rest.Directories[0].Digest
		c.rest.Directories = c.rest.Directories[1:]
	case KindSymlink:
		c.entry.Target = c.rest.Symlinks[0].Target
		c.rest.Symlinks = c.rest.Symlinks[1:]
	}
	return kind != 0
}

// cursors is a heap: the least name is first, and of those the first voice.
type cursors []*cursor

// Len, Less, Swap, Push and Pop are for container/heap.
func (h cursors) Len() int { return len(h) }

func (h cursors) Less(i, j int) bool {
	if h[i].entry.Path != h[j].entry.Path {
		return h[i].entry.Path < h[j].entry.Path
	}
	return h[i].voice < h[j].voice
}

func (h cursors) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *cursors) Push(c any) { *h = append(*h, c.(*cursor)) }

func (h *cursors) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	return c
}
