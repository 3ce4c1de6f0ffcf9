package payload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"larder/caches"
	"larder/digest"
)

// Source is a host directory in one state. [Look] makes it.
type Source struct {
	Path  string // absolute, with symbolic links resolved
	State digest.TreeState
}

// Resolve returns the absolute path of the directory that path leads to. A path
// that leads to something else is caches.ErrInvalid.
func Resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("payload %s: %w", path, err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return "", fmt.Errorf("payload %s: %w", path, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", fmt.Errorf("payload %s: %w", path, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%w payload %s: it is not a directory; a payload is a whole one", caches.ErrInvalid, path)
	}
	return real, nil
}

// Look takes the state of the directory that path leads to. It looks at every
// name below it and reads no file.
func Look(ctx context.Context, path string) (Source, error) {
	real, err := Resolve(path)
	if err != nil {
		return Source{}, err
	}
	state, err := digest.StateOfTree(ctx, real)
	if err != nil {
		return Source{}, fmt.Errorf("payload %s: %w", path, err)
	}
	return Source{real, state}, nil
}

// ID is the name of the source in a store: 32 hexadecimal digits over its path,
// its state and the user of this process. Users who share a store have copies of
// their own: what one may read in the source, the copy of another may hide.
func (s Source) ID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s,%s,%d", len(s.Path), s.Path, s.State.Digest, os.Geteuid()))
	return hex.EncodeToString(sum[:16])
}
