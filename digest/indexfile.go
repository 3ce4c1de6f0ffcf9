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
//	number of folders, length of their paths
//	folders: path offset, path length, block offset, block length
//	paths
//	blocks, see [block]
//
// Folders are sorted by path, so that nothing has to be unpacked before it is
// asked for.
const (
	indexMagic   = "larder index 2\n\x00"
	checksumAt   = len(indexMagic) + 1
	countsAt     = checksumAt + hashBytes
	foldersAt    = countsAt + 8
	folderLength = 24
)

// savedIndex is an encoded index whose checksum was right. It is not changed.
type savedIndex struct {
	count  int
	table  []byte
	paths  []byte
	blocks []byte
}

// savedFolder is one folder to encode.
type savedFolder struct {
	path  string
	block block
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
	count := uint64(binary.LittleEndian.Uint32(data[countsAt:]))
	pathsAt := uint64(foldersAt) + count*folderLength
	blocksAt := pathsAt + uint64(binary.LittleEndian.Uint32(data[countsAt+4:]))
	if blocksAt > uint64(len(data)) {
		return savedIndex{}
	}
	return savedIndex{int(count), data[foldersAt:pathsAt], data[pathsAt:blocksAt], data[blocksAt:]}
}

// entry returns the line of folder i in the table.
func (s *savedIndex) entry(i int) []byte { return s.table[i*folderLength : (i+1)*folderLength] }

// path returns the path of folder i, without copying it.
func (s *savedIndex) path(i int) []byte {
	entry := s.entry(i)
	return piece(s.paths, uint64(binary.LittleEndian.Uint32(entry)), uint64(binary.LittleEndian.Uint32(entry[4:])))
}

func (s *savedIndex) block(i int) block {
	entry := s.entry(i)
	return openBlock(piece(s.blocks, binary.LittleEndian.Uint64(entry[8:]), binary.LittleEndian.Uint64(entry[16:])))
}

// piece returns a piece of data, or nothing when it is out of bounds.
func piece(data []byte, offset, length uint64) []byte {
	if offset+length < offset || offset+length > uint64(len(data)) {
		return nil
	}
	return data[offset : offset+length : offset+length]
}

// find returns what is known of the folder at path.
func (s *savedIndex) find(path string) block {
	// Conversions in comparisons do not copy.
	i := sort.Search(s.count, func(i int) bool { return string(s.path(i)) >= path })
	if i == s.count || string(s.path(i)) != path {
		return block{}
	}
	return s.block(i)
}

// encodeIndex writes folders that are sorted. What does not fit into the
// format's 4 GiB of paths is left out.
func encodeIndex(fn Function, folders []savedFolder) []byte {
	var paths, blocks uint64
	for i, folder := range folders {
		if paths+uint64(len(folder.path)) > math.MaxUint32 {
			folders = folders[:i]
			break
		}
		paths, blocks = paths+uint64(len(folder.path)), blocks+uint64(len(folder.block.raw))
	}
	out := make([]byte, foldersAt, uint64(foldersAt)+uint64(len(folders)*folderLength)+paths+blocks)
	copy(out, indexMagic)
	out[len(indexMagic)] = byte(fn)
	binary.LittleEndian.PutUint32(out[countsAt:], uint32(len(folders)))
	binary.LittleEndian.PutUint32(out[countsAt+4:], uint32(paths))
	var pathAt, blockAt int
	for _, folder := range folders {
		out = binary.LittleEndian.AppendUint32(out, uint32(pathAt))
		out = binary.LittleEndian.AppendUint32(out, uint32(len(folder.path)))
		out = appendNumbers(out, uint64(blockAt), uint64(len(folder.block.raw)))
		pathAt, blockAt = pathAt+len(folder.path), blockAt+len(folder.block.raw)
	}
	for _, folder := range folders {
		out = append(out, folder.path...)
	}
	for _, folder := range folders {
		out = append(out, folder.block.raw...)
	}
	sum := Of(BLAKE3, out[countsAt:])
	copy(out[checksumAt:], sum.hash[:])
	return out
}
