package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"larder/caches/cas"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/caches/results"
	"larder/digest"
)

// Look says how a store is verified.
type Look struct {
	// Contents reads every byte. Otherwise it is seen to that everything is
	// there, in the form and with the length that it should have.
	Contents bool
	// Repair removes what is damaged, or goes back to what is whole: the work
	// that made it is done again when it is asked for.
	Repair bool
}

// State is what became of a finding.
type State string

const (
	// Damaged says that it is not as it was written, and still there.
	Damaged State = "damaged"
	// Repaired says that it was damaged and is gone, or whole again.
	Repaired State = "repaired"
	// Unreadable says that it could not be read, now and by this user.
	Unreadable State = "unreadable"
	// Unlisted says that nobody had written down yet what it should hold, so that
	// damage to it could not be told. That is done now, and it counts as sound.
	Unlisted State = "unlisted"
)

// Finding is one thing of the store that is not as it should be.
type Finding struct {
	Kind    Kind
	Path    string
	Problem string
	State   State
	Done    string // what the repair did, or why it could not
}

// Verified says what a verification looked at and found.
type Verified struct {
	Looked map[Kind]int
	Found  map[State]int
}

// Verify looks over the whole store and calls each for everything that is not as
// it should be; it goes on after each, also after errors of the disk. It does
// not stop others from using the store, and what they remove meanwhile is no
// finding. An error means that ctx ended.
func (s *Store) Verify(ctx context.Context, look Look, each func(Finding)) (Verified, error) {
	v := &verifying{Store: s, ctx: ctx, look: look, each: each, sound: map[inode]bool{}}
	v.done = Verified{Looked: map[Kind]int{}, Found: map[State]int{}}
	for _, step := range []func(){v.blobs, v.trees, v.results, v.caches, v.copies} {
		if step(); ctx.Err() != nil {
			return v.done, fmt.Errorf("verify the store: %w", context.Cause(ctx))
		}
	}
	return v.done, nil
}

// verifying is one verification on its way.
type verifying struct {
	*Store
	ctx   context.Context
	look  Look
	each  func(Finding)
	done  Verified
	sound map[inode]bool // blobs whose bytes were read and are right
}

// found reports something, repairs it if that is asked for, and counts it. Only
// damage is repaired, and what cannot be read.
func (v *verifying) found(f Finding, repair func() (string, error)) {
	if errors.Is(v.ctx.Err(), context.Canceled) {
		return
	}
	if v.look.Repair {
		done, err := repair()
		if errors.Is(err, fs.ErrNotExist) {
			done, err = "it is gone by now", nil
		}
		switch {
		case err == nil:
			f.State, f.Done = Repaired, done
			v.journal.Warn("repaired", "kind", string(f.Kind), "path", f.Path, "problem", f.Problem, "done", done)
		case errors.Is(err, layers.ErrLocked):
			f.Done = "somebody uses it; verify again when no run is at work"
		default:
			f.Done = err.Error()
		}
	}
	v.done.Found[f.State]++
	v.each(f)
}

// unlisted reports what could not be judged.
func (v *verifying) unlisted(f Finding) {
	f.State = Unlisted
	v.done.Found[Unlisted]++
	v.each(f)
}

// discard is the repair of what can be made again.
func (v *verifying) discard(path string) func() (string, error) {
	return func() (string, error) { return "it was removed", layers.Discard(v.layout, path) }
}

func stateOf(err error, damage ...error) State {
	for _, known := range damage {
		if errors.Is(err, known) {
			return Damaged
		}
	}
	return Unreadable
}

func functions() []digest.Function { return []digest.Function{digest.BLAKE3, digest.SHA256} }

// blobs looks over the files of blobs. Without reading, an empty file is the
// only one that can be told to be wrong: the length is not in its name.
func (v *verifying) blobs() {
	for _, fn := range functions() {
		store := cas.Open(v.layout, fn)
		_ = store.Files(func(file cas.File, err error) error {
			v.done.Looked[Blobs]++
			if err == nil {
				err = v.blob(store, file)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				v.found(Finding{Kind: Blobs, Path: file.Path, Problem: err.Error(), State: stateOf(err, cas.ErrCorrupt)}, v.discard(file.Path))
			}
			return v.ctx.Err()
		})
	}
}

func (v *verifying) blob(store *cas.Store, file cas.File) error {
	if v.look.Contents || file.Digest.Size() == 0 {
		err := store.VerifyFile(file)
		if err == nil {
			v.sound[nodeOf(file.Path)] = true
		}
		return err
	}
	return nil
}

// results looks over the records: each must be readable, and all that it needs
// must be there.
func (v *verifying) results() {
	_ = results.NewFiles(v.layout).All(func(kept results.Kept, err error) error {
		v.done.Looked[Results]++
		if err == nil {
			err = v.result(kept)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			v.found(Finding{Kind: Results, Path: kept.Path, Problem: err.Error(),
				State: stateOf(err, results.ErrUseless, cas.ErrMissing, cas.ErrCorrupt, digest.ErrTree)}, v.discard(kept.Path))
		}
		return v.ctx.Err()
	})
}

func (v *verifying) result(kept results.Kept) error {
	store := cas.Open(v.layout, kept.Function)
	single, trees, err := kept.Record.Needs(kept.Function)
	if err != nil {
		return err
	}
	for _, d := range single {
		if err := store.Look(d); err != nil {
			return fmt.Errorf("what it needs: %w", err)
		}
	}
	for _, root := range trees {
		err := digest.Walk(v.ctx, cas.Unnoted{Store: store}, root, func(path string, entry digest.Entry) error {
			if entry.Kind != digest.KindFile {
				return nil
			}
			if err := store.Look(entry.Digest); err != nil {
				return fmt.Errorf("what it needs for %s: %w", path, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// caches looks over the named caches.
func (v *verifying) caches() {
	depth := named.Shape
	if v.look.Contents {
		depth = named.Contents
	}
	for _, id := range v.named.IDs() {
		v.done.Looked[Caches]++
		var flaws []named.Flaw
		if v.named.Verify(v.ctx, id, depth, func(flaw named.Flaw) { flaws = append(flaws, flaw) }) != nil {
			return
		}
		v.cache(id, flaws)
	}
}

// cache reports the flaws of a cache. All are repaired by one step.
func (v *verifying) cache(id string, flaws []named.Flaw) {
	var done string
	var err error
	inside := func(flaw named.Flaw) bool { return !flaw.Listing && !flaw.Unlisted }
	if v.look.Repair && slices.ContainsFunc(flaws, inside) {
		broken := named.Damaged{}
		for _, flaw := range flaws {
			if flaw.Layer != "" && inside(flaw) {
				broken[flaw.Layer] = true
			}
		}
		done, err = v.named.Repair(v.ctx, id, broken)
	}
	for _, flaw := range flaws {
		f := Finding{Kind: Caches, Path: flaw.Path, Problem: flaw.Problem, State: Damaged}
		if flaw.Unlisted {
			v.unlisted(f)
			continue
		}
		if flaw.Read {
			f.State = Unreadable
		}
		repair := func() (string, error) { return done, err }
		if flaw.Listing {
			repair = func() (string, error) {
				return "it was emptied", layers.Void(v.layout, flaw.Path)
			}
		}
		v.found(f, repair)
	}
}

// trees looks over the input trees: each must hold what its directories say.
func (v *verifying) trees() {
	for _, fn := range functions() {
		store := cas.Open(v.layout, fn)
		rows, err := store.Trees()
		if err != nil {
			path := filepath.Join(v.layout.Layers(), treesFolder)
			v.found(Finding{Kind: Trees, Path: path, Problem: err.Error(), State: Unreadable}, v.discard(path))
		}
		for _, row := range rows {
			v.done.Looked[Trees]++
			flaw, state := v.tree(store, row)
			if _, err := os.Lstat(row.Path); flaw != "" && err == nil {
				v.found(Finding{Kind: Trees, Path: row.Path, Problem: flaw, State: state}, v.discard(row.Path))
			}
		}
	}
}
