package digest

import (
	"bytes"
	"encoding/binary"
	"math"
	"sort"
)

// The file of an index, all numbers little-endian:
//
//	magic, hash function, hash of all that follows
//	number of folders, of records, length of the text
//	folders: text offset, path length, number of the first record
//	records: stamp, digest, text offset, name length, flags
//	text: paths of folders, names of files
//
// Folders are sorted by path and the records of one by name, so that nothing
// has to be unpacked before it is asked for.
const (
	indexMagic   = "larder index 1\n\x00"
	checksumAt   = len(indexMagic) + 1
	countsAt     = checksumAt + hashBytes
	foldersAt    = countsAt + 12
	folderLength = 12
	recordLength = 40 + hashBytes + 8
)

const flagExecutable = 1

// savedIndex is an encoded index whose checksum was right. It is not changed.
type savedIndex struct {
	fn           Function
	folderCount  int
	recordCount  int
	folderTable  []byte
	recordsTable []byte
	text         []byte
}

// savedFolder is one folder to encode.
type savedFolder struct {
	path    string
	records []namedRecord
}

// openSaved returns the index in data, or an empty one when data is no such
// index. Damage by accident is found by the checksum; bounds are checked as
// well, so that even a forged file can do no more than be wrong.
func openSaved(data []byte, fn Function) savedIndex {
	if len(data) < foldersAt || string(data[:len(indexMagic)]) != indexMagic || data[len(indexMagic)] != byte(fn) {
		return savedIndex{}
	}
	if sum := Of(BLAKE3, data[countsAt:]); !bytes.Equal(sum.hash[:], data[checksumAt:countsAt]) {
		return savedIndex{}
	}
	s := savedIndex{fn: fn}
	s.folderCount = int(binary.LittleEndian.Uint32(data[countsAt:]))
	s.recordCount = int(binary.LittleEndian.Uint32(data[countsAt+4:]))
	text := int(binary.LittleEndian.Uint32(data[countsAt+8:]))
	recordsAt := foldersAt + s.folderCount*folderLength
	textAt := recordsAt + s.recordCount*recordLength
	if len(data) != textAt+text {
		return savedIndex{}
	}
	s.folderTable, s.recordsTable, s.text = data[foldersAt:recordsAt], data[recordsAt:textAt], data[textAt:]
	return s
}

func (s *savedIndex) folders() int { return s.folderCount }

func (s *savedIndex) folderPath(i int) string { return string(s.folderText(i)) }

// folderText is folderPath without a copy.
func (s *savedIndex) folderText(i int) []byte {
	entry := s.folderTable[i*folderLength:]
	return s.textAt(binary.LittleEndian.Uint32(entry), binary.LittleEndian.Uint32(entry[4:]))
}

// textAt returns a piece of the text, or nothing when it is out of bounds.
func (s *savedIndex) textAt(offset, length uint32) []byte {
	if uint64(offset)+uint64(length) > uint64(len(s.text)) {
		return nil
	}
	return s.text[offset : offset+length]
}

// firstRecord is where the records of folder i begin.
func (s *savedIndex) firstRecord(i int) int {
	if i == s.folderCount {
		return s.recordCount
	}
	return min(int(binary.LittleEndian.Uint32(s.folderTable[i*folderLength+8:])), s.recordCount)
}

func (s *savedIndex) recordsOf(i int) folderRecords {
	first := s.firstRecord(i)
	return folderRecords{saved: s, first: first, count: max(s.firstRecord(i+1)-first, 0)}
}

// find returns the records of the folder at path.
func (s *savedIndex) find(path string) folderRecords {
	// Conversions in comparisons do not copy.
	i := sort.Search(s.folderCount, func(i int) bool { return string(s.folderText(i)) >= path })
	if i == s.folderCount || string(s.folderText(i)) != path {
		return folderRecords{}
	}
	return s.recordsOf(i)
}

// name returns the name of the file of record i, without copying it.
func (s *savedIndex) name(i int) []byte {
	entry := s.recordsTable[i*recordLength+40+hashBytes:]
	return s.textAt(binary.LittleEndian.Uint32(entry), uint32(binary.LittleEndian.Uint16(entry[4:])))
}

func (s *savedIndex) record(i int) record {
	entry := s.recordsTable[i*recordLength : (i+1)*recordLength]
	r := record{
		stamp: stamp{
			device: binary.LittleEndian.Uint64(entry),
			inode:  binary.LittleEndian.Uint64(entry[8:]),
			ctime:  int64(binary.LittleEndian.Uint64(entry[16:])),
			mtime:  int64(binary.LittleEndian.Uint64(entry[24:])),
			size:   int64(binary.LittleEndian.Uint64(entry[32:])),
		},
	}
	r.executable = binary.LittleEndian.Uint16(entry[recordLength-2:])&flagExecutable != 0
	r.content = Digest{size: r.size, kind: uint8(s.fn) + 1}
	copy(r.content.hash[:], entry[40:])
	return r
}

// encodeIndex writes folders that are sorted, with records that are sorted.
// What does not fit into the format's 4 GiB of names is left out.
func encodeIndex(fn Function, folders []savedFolder) []byte {
	var folderTable, records, text []byte
	var recordCount, folderCount uint32
	for _, folder := range folders {
		if uint64(len(text))+uint64(len(folder.path)) > math.MaxUint32-math.MaxUint16 {
			break
		}
		folderTable = binary.LittleEndian.AppendUint32(folderTable, uint32(len(text)))
		folderTable = binary.LittleEndian.AppendUint32(folderTable, uint32(len(folder.path)))
		folderTable = binary.LittleEndian.AppendUint32(folderTable, recordCount)
		text = append(text, folder.path...)
		folderCount++
		for _, r := range folder.records {
			if len(text) > math.MaxUint32-math.MaxUint16 {
				break
			}
			records = appendRecord(records, r, uint32(len(text)))
			text = append(text, r.name...)
			recordCount++
		}
	}
	body := binary.LittleEndian.AppendUint32(nil, folderCount)
	body = binary.LittleEndian.AppendUint32(body, recordCount)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(text)))
	body = append(append(append(body, folderTable...), records...), text...)
	sum := Of(BLAKE3, body)
	head := append(append([]byte(indexMagic), byte(fn)), sum.hash[:]...)
	return append(head, body...)
}

func appendRecord(out []byte, r namedRecord, nameAt uint32) []byte {
	for _, number := range []uint64{r.device, r.inode, uint64(r.ctime), uint64(r.mtime), uint64(r.size)} {
		out = binary.LittleEndian.AppendUint64(out, number)
	}
	out = append(out, r.content.hash[:]...)
	out = binary.LittleEndian.AppendUint32(out, nameAt)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(r.name)))
	var flags uint16
	if r.executable {
		flags = flagExecutable
	}
	return binary.LittleEndian.AppendUint16(out, flags)
}

// folderRecords is what an index has on one folder: a part of what was saved,
// or what was learnt since.
type folderRecords struct {
	saved        *savedIndex
	first, count int
	fresh        []namedRecord
}

func (f folderRecords) len() int { return f.count + len(f.fresh) }

// match returns the digest of the file called name if its stamp is now's.
func (f folderRecords) match(name string, now stamp) (Digest, bool) {
	r, ok := f.get(name)
	if !ok || r.stamp != now {
		return Digest{}, false
	}
	return r.content, true
}

// get returns the record of the file called name.
func (f folderRecords) get(name string) (record, bool) {
	if f.saved == nil {
		i := sort.Search(len(f.fresh), func(i int) bool { return f.fresh[i].name >= name })
		if i == len(f.fresh) || f.fresh[i].name != name {
			return record{}, false
		}
		return f.fresh[i].record, true
	}
	low, high := f.first, f.first+f.count
	for low < high {
		middle := (low + high) / 2
		// Conversions in comparisons do not copy.
		switch there := f.saved.name(middle); {
		case string(there) == name:
			return f.saved.record(middle), true
		case string(there) < name:
			low = middle + 1
		default:
			high = middle
		}
	}
	return record{}, false
}

// all returns the records with names of their own.
func (f folderRecords) all() []namedRecord {
	records := make([]namedRecord, 0, f.len()+1)
	for i := f.first; i < f.first+f.count; i++ {
		records = append(records, namedRecord{string(f.saved.name(i)), f.saved.record(i)})
	}
	return append(records, f.fresh...)
}
