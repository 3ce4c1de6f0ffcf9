package layers

import (
	"fmt"
	"io/fs"
)

// WalkAt calls visit for the entry at path, which is relative and clean, and
// for all below it, in the order of [Stack.Walk]. An error that wraps
// fs.ErrNotExist says that there is nothing at path.
func (s Stack) WalkAt(path string, visit func(Entry) error) error {
	found, err := s.lookup(path)
	if err != nil {
		return fmt.Errorf("walk %s: %w", path, err)
	}
	if found.isNone() {
		return fmt.Errorf("walk %s: %w", path, fs.ErrNotExist)
	}
	found.Path = path
	if err := visit(found.Entry); err != nil || found.Kind != Directory {
		return err
	}
	return walk(found, visit)
}
