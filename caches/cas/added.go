package cas

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/digest"
)

// addedFormat is the version of addedRecord.
const addedFormat = 1

// addedRecord says that all blobs of a tree were in the store, so that who adds
// the tree again need not look at each. It is believed in the epoch that it was
// written in, where no cleaning takes what was used, see [caches.Layout.Hold]. What
// else takes a blob away, a repair or a person, changes the time of its folder:
// only blobs in such folders are looked at then. It is advice: losing it costs time.
type addedRecord struct {
	Format  int        `json:"format"`
	BootID  string     `json:"boot_id"`
	Epoch   time.Time  `json:"epoch"`
	Root    string     `json:"root"`    // the digest of the tree
	Folders [256]int64 `json:"folders"` // when each last changed, 0 for not known
}

// clockGrain is more than what two changes can be apart and have the same time on
// a file system that is not over a network.
const clockGrain = 50 * time.Millisecond

const missingFolder = -1

// newAdded describes the store as it is before anybody looks for blobs.
func (s *Store) newAdded(root digest.Digest) addedRecord {
	record := addedRecord{Format: addedFormat, BootID: s.bootID(), Epoch: s.layout.Epoch(), Root: root.String()}
	var stat unix.Stat_t
	for i := range record.Folders {
		path := s.folder + "/" + string([]byte{hexDigits[i>>4], hexDigits[i&15]})
		err := unix.Lstat(path, &stat)
		if errors.Is(err, unix.ENOENT) {
			record.Folders[i] = missingFolder
		} else if at := changed(&stat); err == nil && time.Since(at) > clockGrain {
			record.Folders[i] = at.UnixNano()
		}
	}
	return record
}

const hexDigits = "0123456789abcdef"

// folders says of each folder of blobs whether it is one of them.
type folders [256]bool

// unsure lists the folders whose blobs have to be looked at, by the record of the
// last time, and reports whether there are any.
func (r addedRecord) unsure(last addedRecord) (in folders, some bool) {
	same := last.Format == r.Format && last.Root == r.Root && !r.Epoch.IsZero() && r.Epoch.Equal(last.Epoch) &&
		caches.SameBoot(r.BootID, last.BootID)
	for i := range in {
		in[i] = !same || r.Folders[i] == 0 || r.Folders[i] != last.Folders[i]
		some = some || in[i]
	}
	return in, some
}

// folderOf is the number of the folder of a blob.
func folderOf(d digest.Digest) byte { return nibble(d.Hash()[0])<<4 | nibble(d.Hash()[1]) }

// lastAdded reads the record for what was scanned from a host directory. In a
// store that is shared, or has another behind it, none is believed: not every use
// can be noted there.
func (s *Store) lastAdded(root string) (record addedRecord) {
	if s.behind != nil || s.layout.Shared() {
		return addedRecord{}
	}
	data, err := caches.ReadFile(s.addedFile(root))
	if err == nil {
		data, err = caches.Unseal(data)
	}
	if err != nil || json.Unmarshal(data, &record) != nil {
		return addedRecord{}
	}
	return record
}

func (s *Store) writeAdded(root string, record addedRecord) {
	if data, err := json.Marshal(record); err == nil {
		_ = s.layout.WriteFile(s.addedFile(root), caches.Seal(data), 0o644)
	}
}

func (s *Store) addedFile(root string) string {
	name := digest.Of(digest.BLAKE3, []byte(root)).Hash()[:32]
	return filepath.Join(s.layout.Index(), "added-"+s.fn.String()+"-"+name+s.layout.Owner())
}
