package digest

import "context"

// ScanOptions says what of a directory a [Scan] takes.
type ScanOptions struct {
	// Function is the hash function of every digest in the tree.
	Function Function
	// Patterns select, in gitignore syntax.
	Patterns []string
	// Exclude has clean relative paths that are left out with all below them.
	Exclude []string
	// Index may be nil.
	Index *Index
}

// Scan makes a tree of what is selected below root.
func Scan(ctx context.Context, root string, opts ScanOptions) (*Tree, error) {
	return nil, ErrTree
}
