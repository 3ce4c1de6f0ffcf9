package cas

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
	"larder/digest"
)

// laid is a tree that is laid out and held: its layers stay for as long as this
// process lives.
type laid struct {
	stack layers.Stack  // one or two, bottom first
	base  digest.Digest // the root of the whole tree at the bottom
}

// treeForm is how the folder name of a tree ends.
type treeForm string

const (
	whole treeForm = ".whole"
	delta treeForm = ".delta"
)

// What is in the folder of a tree.
const (
	layerFolder = "layer"
	recordFile  = "tree.json"
)

// treesFolder is a folder for each user of a shared store: what a process changes
// of its inputs, overlayfs copies up, which it can do for the user's own files only.
func (s *Store) treesFolder() string {
	return filepath.Join(s.layout.Layers(), "trees"+s.layout.Owner())
}

func (s *Store) treePath(root digest.Digest, form treeForm) string {
	return filepath.Join(s.treesFolder(), s.fn.String(), root.Hash()+string(form))
}

// treeFormat is the version of treeRecord.
const treeFormat = 1

// treeRecord says what is in the folder of a tree. It is written once.
type treeRecord struct {
	Format  int    `json:"format"`
	BootID  string `json:"boot_id"`        // that it was made in
	Root    string `json:"root"`           // the digest of the tree
	Base    string `json:"base,omitempty"` // the digest of the whole tree below a delta
	Entries int64  `json:"entries"`        // of the layer, whiteouts too
	Bytes   int64  `json:"bytes"`          // of its files
}

func (r treeRecord) write(folder string) error {
	r.Format = treeFormat
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, recordFile)
	if err := os.WriteFile(path, caches.Seal(data), 0o644); err != nil {
		return err
	}
	// Whatever the umask: in a shared store others look what there is.
	return errors.Join(os.Chmod(path, 0o644), os.Chmod(folder, 0o755))
}

// readTree reads the record of a folder. A folder without a sound one, or with
// content that a loss of power may have torn, counts as missing: the error wraps
// fs.ErrNotExist.
func (s *Store) readTree(folder string) (treeRecord, error) {
	var record treeRecord
	data, err := caches.ReadFile(filepath.Join(folder, recordFile))
	if err != nil {
		return record, err
	}
	data, err = caches.Unseal(data)
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil || record.Format != treeFormat {
		return record, fmt.Errorf("tree at %s: damaged: %w", folder, fs.ErrNotExist)
	}
	if !caches.SameBoot(record.BootID, s.bootID()) && s.mayBeTorn(folder) {
		return record, fmt.Errorf("tree at %s: not on the disk when the machine restarted: %w", folder, fs.ErrNotExist)
	}
	return record, nil
}

// mayBeTorn reports whether the record of a tree from an earlier boot, which
// nobody touches once it is written, is later than the last sync.
func (s *Store) mayBeTorn(folder string) bool {
	var stat unix.Stat_t
	err := unix.Lstat(filepath.Join(folder, recordFile), &stat)
	return err != nil || s.doubt().covers(changed(&stat))
}

// findTree finds a tree that is there, in either form. The error wraps
// fs.ErrNotExist when it is not there.
func (s *Store) findTree(root digest.Digest) (laid, error) {
	found, err := s.findWhole(root)
	if errors.Is(err, fs.ErrNotExist) {
		found, err = s.findDelta(root)
	}
	return found, err
}

func (s *Store) findWhole(root digest.Digest) (laid, error) {
	layer, _, err := s.findLayer(s.treePath(root, whole))
	return laid{layers.Stack{layer}, root}, err
}

func (s *Store) findDelta(root digest.Digest) (laid, error) {
	layer, record, err := s.findLayer(s.treePath(root, delta))
	if err != nil {
		return laid{}, err
	}
	base, err := digest.Parse(s.fn, record.Base)
	if err != nil {
		return laid{}, fmt.Errorf("tree %s: damaged: %w: %w", root, err, fs.ErrNotExist)
	}
	found, err := s.findWhole(base)
	found.stack = append(found.stack, layer)
	return found, err
}

// findLayer holds one folder and reads what is in it.
func (s *Store) findLayer(folder string) (layers.Layer, treeRecord, error) {
	if _, err := s.layout.Hold(folder); err != nil {
		return layers.Layer{}, treeRecord{}, err
	}
	record, err := s.readTree(folder)
	return layers.Layer{
		ID: filepath.Base(folder), Path: filepath.Join(folder, layerFolder), Entries: record.Entries, Bytes: record.Bytes,
	}, record, err
}

// dropDamaged removes the folder of a tree when its record is damaged, so that
// nobody can use it. The look and the removal are one step for others.
func (s *Store) dropDamaged(folder string) error {
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var trash string
	err := s.layout.Reap(func() error {
		_, err := s.readTree(folder)
		if errors.Is(err, fs.ErrNotExist) {
			trash, err = layers.Trash(s.layout, folder)
		}
		return err
	})
	if err != nil || trash == "" {
		return err
	}
	return layers.RemoveTree(trash)
}
