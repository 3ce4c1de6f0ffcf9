package digest

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Producer is one of the trees of a [Merge], with the name under which messages
// speak of it.
type Producer struct {
	Name string
	Root Digest
}

// Merged is what a merge gave.
type Merged struct {
	Root Digest
	// Duplicates is how many files and symbolic links were found a second, third
	// and so on time, the same in content, kind and executable bit.
	Duplicates int
	// Identical is how many directories were so; those below them, and the files
	// in them, are not looked at and not counted.
	Identical int
	// Settled is how many collisions a policy has decided.
	Settled int
	// Tolerated has those that PolicyTolerate decided, in the order of paths.
	Tolerated []Collision
}

// Merge makes one tree of all that is in the trees of the producers. What is
// the same in several is there once. What is not the same is a collision:
// different content, a file against a directory, another target of a symbolic
// link, another executable bit, an empty file against an empty directory. The
// last of the policies that matches its path decides it; where that is a
// directory against something else and the directory stays, all the
// directories are merged. When PolicyError decides one, which is what happens
// without a policy, the result is a [CollisionError] with all that there are.
//
// Only directories that differ are read, in time that follows their entries,
// and with memory for the entries of one path down the tree. New directories go
// to sink. The hash function of all producers has to be the same.
//
// Without policies the order of the producers does not matter. Merging some
// first and the rest later gives the same tree, with policies too, unless a
// policy sets a directory against something else: what a directory held is gone
// once a file took its place.
func Merge(ctx context.Context, src Source, sink Sink, producers []Producer, policies []PathPolicy) (Merged, error) {
	m, err := newMerger(newReader(ctx, src), sink, producers, policies)
	if err == nil {
		err = m.run()
	}
	if err != nil {
		return Merged{}, fmt.Errorf("merge: %w", err)
	}
	return m.merged, nil
}

func newMerger(from *reader, sink Sink, producers []Producer, policies []PathPolicy) (*merger, error) {
	selection, err := compilePolicies(policies)
	if err != nil {
		return nil, err
	}
	m := &merger{reader: from, sink: sink, producers: producers, selection: selection, policies: policies}
	if len(policies) == 0 {
		m.done = map[Digest]joined{}
	}
	return m, nil
}

func (m *merger) run() error {
	roots, err := m.roots()
	if err != nil {
		return err
	}
	m.merged.Root, err = m.join(junction{voices: roots, last: m.selection.start()})
	if tooMany := errors.Is(err, errTooMany); len(m.refused) > 0 && (err == nil || tooMany) {
		return &CollisionError{m.refused, tooMany}
	}
	return err
}

type merger struct {
	*reader
	sink      Sink
	producers []Producer
	selection *selection
	policies  []PathPolicy      // by selector
	done      map[Digest]joined // by keyOf; nil with policies
	merged    Merged
	refused   []Collision
	told      int // producers of collisions
}

// voice is one of the different directories at a path, and who has it.
type voice struct {
	directory Digest
	producers []int
}

// joined is a directory that was merged, and what was counted for it.
type joined struct {
	directory             Digest
	duplicates, identical int
}

// add counts what was counted before once more, up to a number that only trees
// made for that exceed.
func (m *Merged) add(before joined) {
	m.Duplicates = min(m.Duplicates+before.duplicates, math.MaxInt32)
	m.Identical = min(m.Identical+before.identical, math.MaxInt32)
}

// junction is a path at which directories meet. The voices are in the order of
// the first producer of each.
type junction struct {
	path   string
	voices []voice
	last   int // the last policy that matches the directory, see verdict
	depth  int
}

// roots returns the different roots, and checks that there are trees.
func (m *merger) roots() ([]voice, error) {
	var roots claimSet
	for i, one := range m.producers {
		if one.Root.IsZero() || one.Root.Function() != m.producers[0].Root.Function() {
			return nil, fmt.Errorf("%w: the tree %s of %s is no %s digest", ErrDigest, one.Root, Quote(one.Name), m.producers[0].Root.Function())
		}
		roots.add(Entry{Kind: KindDirectory, Digest: one.Root}, []int{i})
	}
	m.tally(roots.list)
	switch len(roots.list) {
	case 0:
		return nil, errors.New("there are no trees to merge")
	case 1: // which nobody would look at
		if _, err := m.directory(m.producers[0].Root, "", 0); err != nil {
			return nil, err
		}
	}
	return directoriesOf(roots.list), nil
}

// join merges directories and stores the result. After a collision that
// is refused it only looks for more.
func (m *merger) join(j junction) (Digest, error) {
	if len(j.voices) == 1 {
		return j.voices[0].directory, nil
	}
	key := m.keyOf(j)
	if before, done := m.done[key]; done {
		m.merged.add(before)
		return before.directory, nil
	}
	began := m.merged
	open, err := m.open(j)
	if err != nil {
		return Digest{}, err
	}
	var made Directory
	for {
		claims := open.next(j.voices)
		if len(claims) == 0 {
			break
		}
		if err := m.settle(&made, j, claims); err != nil {
			return Digest{}, err
		}
	}
	if len(m.refused) > 0 {
		return Digest{}, nil
	}
	d, err := m.sink(m.ctx, made.encode())
	if err != nil {
		return Digest{}, fmt.Errorf("store directory %q: %w", clip(pathOrDot(j.path)), err)
	}
	if m.done != nil {
		m.done[key] = joined{d, m.merged.Duplicates - began.Duplicates, m.merged.Identical - began.Identical}
	}
	return d, nil
}

// keyOf names what meets at a junction. Without policies and collisions it is
// all that the result depends on, so trees in which the same meets in many
// places are merged once, however many there are.
func (m *merger) keyOf(j junction) Digest {
	if m.done == nil {
		return Digest{}
	}
	var key []byte
	for _, voice := range j.voices {
		key = append(key, voice.directory.hash[:]...)
	}
	return Of(BLAKE3, key)
}

// open reads the directories that meet.
func (m *merger) open(j junction) (*fan, error) {
	var open fan
	for i, voice := range j.voices {
		content, err := m.directory(voice.directory, j.path, j.depth)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Quote(m.producers[voice.producers[0]].Name), err)
		}
		open.add(i, content)
	}
	return &open, nil
}

// settle adds what becomes of one name to made.
func (m *merger) settle(made *Directory, j junction, claims []claim) error {
	if err := m.count(); err != nil {
		return err
	}
	m.tally(claims)
	kept := claims[0].entry
	if len(claims) > 1 {
		var err error
		if kept, err = m.reconcile(j, claims); err != nil {
			return err
		}
	}
	made.put(kept)
	return nil
}

// reconcile returns the one entry for different claims to a name. Its digest is
// zero after a collision that is refused.
func (m *merger) reconcile(j junction, claims []claim) (Entry, error) {
	name := claims[0].entry.Path
	path := name
	if j.path != "" {
		path = j.path + "/" + name
	}
	directories := directoriesOf(claims)
	verdict := m.selection.judge(subject{path: path, name: name, isDirectory: len(directories) > 0}, j.last)
	kept := 0
	if len(directories) < len(claims) {
		policy := PolicyError
		if verdict.last >= 0 {
			policy = m.policies[verdict.last].Policy
		}
		kept = policy.choose(claims)
		if err := m.report(m.collision(path, claims, kept, policy)); err != nil {
			return Entry{}, err
		}
	}
	entry := claims[max(kept, 0)].entry
	if len(directories) > 0 && (kept < 0 || entry.Kind == KindDirectory) {
		d, err := m.join(junction{path, directories, verdict.last, j.depth + 1})
		if err != nil {
			return Entry{}, err
		}
		if entry.Kind == KindDirectory {
			entry.Digest = d
		}
	}
	return entry, nil
}

// directoriesOf returns the claims that are directories.
func directoriesOf(claims []claim) []voice {
	var voices []voice
	for _, one := range claims {
		if one.entry.Kind == KindDirectory {
			voices = append(voices, voice{one.entry.Digest, one.producers})
		}
	}
	return voices
}

// tally counts what is there more than once.
func (m *merger) tally(claims []claim) {
	for i := range claims {
		if claims[i].entry.Kind == KindDirectory {
			m.merged.Identical += claims[i].voices - 1
		} else {
			m.merged.Duplicates += claims[i].voices - 1
		}
	}
}

// collision describes one with the names of the producers.
func (m *merger) collision(path string, claims []claim, kept int, policy Policy) Collision {
	c := Collision{Path: path, Policy: policy, Kept: kept}
	for _, one := range claims {
		public := Claim{Entry: one.entry}
		public.Entry.Path = path
		for _, i := range one.inOrder() {
			public.Producers = append(public.Producers, m.producers[i].Name)
		}
		c.Claims = append(c.Claims, public)
	}
	return c
}

// report files a collision under what becomes of it.
func (m *merger) report(c Collision) error {
	switch c.Policy {
	case PolicyError:
		m.refused = append(m.refused, c)
	case PolicyTolerate:
		m.merged.Tolerated = append(m.merged.Tolerated, c)
		m.merged.Settled++
	default:
		m.merged.Settled++
		return nil
	}
	for _, one := range c.Claims {
		m.told += len(one.Producers)
	}
	if m.told > maxTold {
		return fmt.Errorf("%w: at %s", errTooMany, Quote(c.Path))
	}
	return nil
}

// errTooMany ends a merge with more collisions than can be kept in memory.
var errTooMany = errors.New("too many collisions to list them; the merge was given up")
