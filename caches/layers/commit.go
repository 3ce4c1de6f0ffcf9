package layers

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"larder/caches"
)

// Prune drops paths from a private layer, each with all below it, so that the
// stack shows through again. Paths that are missing are no error.
func Prune(upper string, paths []string) error {
	for _, path := range paths {
		full := filepath.Join(upper, path)
		err := withWrite(parentOf(full), func() error { return RemoveTree(full) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop %s from a private layer: %w", path, err)
		}
	}
	return nil
}

// PruneEmpty removes directories of a private layer that hold nothing; others
// of the paths stay. Children must come after their parents.
func PruneEmpty(upper string, paths []string) error {
	for i := len(paths) - 1; i >= 0; i-- {
		full := filepath.Join(upper, paths[i])
		names, err := caches.ReadNames(full)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) > 0 {
			continue
		}
		if err == nil {
			err = withWrite(parentOf(full), func() error { return os.Remove(full) })
		}
		if err != nil {
			return fmt.Errorf("drop %s from a private layer: %w", paths[i], err)
		}
	}
	return nil
}

// Align gives a directory of a private layer the mode that the stack has for
// it and takes its opaque mark away, so that the layer only adds to it.
func Align(upper, path string, mode fs.FileMode) error {
	full := filepath.Join(upper, path)
	if err := clearOpaque(full); err != nil {
		return fmt.Errorf("align %s: %w", path, err)
	}
	info, err := os.Lstat(full)
	if err == nil {
		err = chmodPath(full, mode, info.Mode())
	}
	if err != nil {
		return fmt.Errorf("align %s: %w", path, err)
	}
	return nil
}

// Commit makes a private directory an immutable layer in folder, by one rename
// once it has counted what is in it. The caller has looked it over with
// [Changes] and dropped what must not be kept. When Commit fails the private
// directory is where it was.
func Commit(upper, folder string) (Layer, error) {
	if err := prepareRoot(upper); err != nil {
		return Layer{}, err
	}
	layer := Layer{ID: NewID()}
	var err error
	if layer.Entries, layer.Bytes, err = measure(upper); err != nil {
		return Layer{}, fmt.Errorf("commit a layer: %w", err)
	}
	layer.Path = filepath.Join(folder, layer.ID)
	if err := caches.Replace(upper, layer.Path); err != nil {
		return Layer{}, fmt.Errorf("commit a layer: %w", err)
	}
	return layer, nil
}

// Place moves a layer that [Commit] left in a private folder to its place in the
// store, by one rename.
func Place(layer Layer, folder string) (Layer, error) {
	placed := layer
	placed.Path = filepath.Join(folder, layer.ID)
	if err := caches.Replace(layer.Path, placed.Path); err != nil {
		return Layer{}, fmt.Errorf("place a layer: %w", err)
	}
	return placed, nil
}

// PlaceListed is [Place] for a layer that may have its listing beside it, which
// goes first. A crash in between leaves a listing without a layer.
func PlaceListed(layer Layer, folder string) (Layer, error) {
	to := Layer{Path: filepath.Join(folder, layer.ID)}
	if err := caches.Replace(layer.SumPath(), to.SumPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Layer{}, fmt.Errorf("place a layer: %w", err)
	}
	return Place(layer, folder)
}

// NewID makes the name of a layer or of a generation: 16 hexadecimal digits that
// nobody else has.
func NewID() string {
	var bytes [8]byte
	rand.Read(bytes[:]) // never fails, says its contract
	return hex.EncodeToString(bytes[:])
}

func chmodPath(path string, want, have fs.FileMode) error {
	const mask = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	if want&mask == have&mask {
		return nil
	}
	return os.Chmod(path, want&mask)
}

func parentOf(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

func lastName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
