package digest

import "context"

// Source is where encoded directories come from.
type Source interface {
	// Blob returns the content that d names.
	Blob(ctx context.Context, d Digest) ([]byte, error)
}

// Walk calls visit for every entry of a tree.
func Walk(ctx context.Context, src Source, root Digest, visit func(path string, entry Entry) error) error {
	return ErrTree
}

// Lookup returns the entry at path.
func Lookup(ctx context.Context, src Source, root Digest, path string) (Entry, error) {
	return Entry{}, ErrTree
}

// Graft puts trees at paths of another tree.
func Graft(ctx context.Context, src Source, root Digest, at map[string]Digest) (Digest, Directories, error) {
	return Digest{}, nil, ErrTree
}

// FromEntries builds a tree from a flat list of entries.
func FromEntries(fn Function, entries []Entry) (*Tree, error) { return nil, ErrTree }
