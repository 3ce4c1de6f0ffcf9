package layers

import (
	"context"
	"fmt"
	"io"
	"os"

	"larder/caches"
	"larder/digest"
)

// Settle prepares layers for new links to their files, which change what a stamp is
// held against: those without a listing get one. What cannot be listed is not held
// against its stamp any more, see [Void]; one that is removed meanwhile needs
// nothing. listed is called for each layer that was listed now.
func Settle(ctx context.Context, layout caches.Layout, stack Stack, listed func(Layer, Listed)) error {
	for _, layer := range stack {
		done, err := WriteSum(ctx, layout, layer)
		switch {
		case err == nil && done.Standing != Known:
			listed(layer, done)
		case err == nil, !layer.hasStamp():
		case ctx.Err() != nil:
			return context.Cause(ctx)
		default:
			if err := Void(layout, layer.SumPath()); err != nil {
				return err
			}
		}
	}
	return nil
}

// MergeSums writes the listing of a layer that [Flatten] has made of the layers of
// part, from their listings: no file is read, and a file that was not as it was
// listed before is none now. An error says that one of them has no sound listing, and that there
// is none of merged then.
func MergeSums(ctx context.Context, layout caches.Layout, merged Layer, part Stack) error {
	var all merging
	defer all.close()
	for _, layer := range part {
		if err := all.open(layer); err != nil {
			return fmt.Errorf("list what was merged: %w", err)
		}
	}
	err := atomically(layout, merged, func(to io.Writer) error { return all.write(ctx, to, merged) })
	if err != nil {
		return fmt.Errorf("list what was merged: %w", err)
	}
	return nil
}

// merging reads the listings of the layers that were merged, bottom first.
type merging []*source

type source struct {
	*listing
	layer Layer
	file  *os.File
	next  sumEntry // as in [checker]
}

func (m *merging) open(layer Layer) error {
	file, err := os.Open(layer.SumPath())
	if err != nil {
		return err
	}
	s := &source{listing: newListing(file), layer: layer, file: file}
	*m = append(*m, s)
	if err := s.header(); err != nil {
		return err
	}
	return s.advance()
}

func (m *merging) close() {
	for _, s := range *m {
		s.file.Close()
	}
}

func (s *source) advance() (err error) {
	s.next, err = s.entry()
	return err
}

// at advances to the path, and returns its line if there is one.
func (s *source) at(path string) (line sumEntry, found bool, err error) {
	for s.next.path != "" && digest.ComparePaths(s.next.path, path) < 0 {
		if err := s.advance(); err != nil {
			return line, false, err
		}
	}
	return s.next, s.next.path == path, nil
}

func (m *merging) write(ctx context.Context, to io.Writer, merged Layer) error {
	l := newLister(to)
	w := walker{ctx: ctx, failed: func(_ string, err error) error { return err }}
	w.visit = func(at sumEntry) error {
		line, err := m.line(at)
		if err == nil {
			err = l.line(line)
		}
		return err
	}
	if err := w.layer(merged.Path); err != nil {
		return err
	}
	for _, s := range *m {
		for s.next.path != "" {
			if err := s.advance(); err != nil {
				return err
			}
		}
		if err := s.end(s.layer); err != nil {
			return err
		}
	}
	return l.end(merged)
}

// line is that of an entry of the merged layer: of what has a content, the line of the
// topmost layer that has the path. A directory is what all make of it.
func (m *merging) line(at sumEntry) (line sumEntry, err error) {
	line = at
	isKnown := at.kind != "f" && at.kind != "l"
	for _, s := range *m {
		theirs, found, err := s.at(at.path)
		switch {
		case err != nil:
			return line, err
		case !found:
		case at.kind == "f" || at.kind == "l":
			line, isKnown = theirs, true
		case theirs.hash == changedHash && at.kind != "w":
			line.hash = changedHash
		}
	}
	if !isKnown {
		return line, fmt.Errorf("%s is in none of the listings: %w", at.path, ErrDamaged)
	}
	return line, nil
}
