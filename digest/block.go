package digest

import (
	"encoding/binary"
	"math"
	"sort"

	"golang.org/x/sys/unix"
)

// block is what an index knows of one folder: every name in it and, of files,
// the stat and the digest that they had. It has the form that it has in the file
// of the index, all numbers little-endian, so that nothing is unpacked before it
// is asked for, and an unchanged folder is written as it was read:
//
//	stamp of the folder: device, inode, ctime, mtime
//	number of items, length of the text
//	items: stamp, digest, text offset, name length, kind, flags
//	text: names and the targets of links, each with a zero byte after it
//	memos, see [memo]
//
// Items are sorted by name. The size of a link is the length of its target. A
// stamp of zeros is nobody's: that of a folder or a file that was too young when
// it was looked at. A block is not changed once made.
type block struct {
	raw   []byte
	items []byte
	text  []byte
	memos []byte
}

const (
	folderStampLength = 32
	blockHead         = folderStampLength + 8
	itemLength        = 40 + hashBytes + 8
)

// What is known of an item.
const (
	flagExecutable = 1 << iota
	flagContent    // it has a digest
)

// openBlock returns the block in raw, or an empty one when there is none.
func openBlock(raw []byte) block {
	if len(raw) < blockHead {
		return block{}
	}
	count := uint64(binary.LittleEndian.Uint32(raw[folderStampLength:]))
	text := uint64(binary.LittleEndian.Uint32(raw[folderStampLength+4:]))
	textAt := blockHead + count*itemLength
	if textAt+text > uint64(len(raw)) || (uint64(len(raw))-textAt-text)%uint64(memoLength(int(count))) != 0 {
		return block{}
	}
	return block{raw, raw[blockHead:textAt], raw[textAt : textAt+text], raw[textAt+text:]}
}

// core is the block without its memos.
func (b block) core() []byte { return b.raw[:len(b.raw)-len(b.memos)] }

func (b block) len() int { return len(b.items) / itemLength }

func (b block) item(i int) []byte { return b.items[i*itemLength : (i+1)*itemLength] }

// name returns the name of item i, without copying it.
func (b block) name(i int) []byte {
	at := b.item(i)[40+hashBytes:]
	return piece(b.text, uint64(binary.LittleEndian.Uint32(at)), uint64(binary.LittleEndian.Uint16(at[4:])))
}

// target returns where item i points if it is a link.
func (b block) target(i int) string {
	if b.kind(i) != unix.DT_LNK {
		return ""
	}
	at := b.item(i)[40+hashBytes:]
	begin := uint64(binary.LittleEndian.Uint32(at)) + uint64(binary.LittleEndian.Uint16(at[4:])) + 1
	return string(piece(b.text, begin, binary.LittleEndian.Uint64(b.item(i)[32:])))
}

// kind returns the type of item i, unix.DT_REG and so on.
func (b block) kind(i int) uint8 { return b.item(i)[itemLength-2] }

func (b block) has(i int, flag byte) bool { return b.item(i)[itemLength-1]&flag != 0 }

// content returns the digest of the file that is item i, zero when it is unknown.
func (b block) content(i int, fn Function) Digest {
	if !b.has(i, flagContent) {
		return Digest{}
	}
	item := b.item(i)
	d := Digest{size: int64(binary.LittleEndian.Uint64(item[32:]) & math.MaxInt64), kind: uint8(fn) + 1}
	copy(d.hash[:], item[40:])
	return d
}

// isAs reports whether the stat of item i was st, and its digest is known.
func (b block) isAs(i int, st *unix.Stat_t) bool {
	return b.stamp(i) == stampOf(st) && b.has(i, flagContent)
}

func (b block) stamp(i int) stamp {
	item := b.item(i)
	return stamp{
		device:     binary.LittleEndian.Uint64(item),
		inode:      binary.LittleEndian.Uint64(item[8:]),
		ctime:      int64(binary.LittleEndian.Uint64(item[16:])),
		mtime:      int64(binary.LittleEndian.Uint64(item[24:])),
		size:       int64(binary.LittleEndian.Uint64(item[32:])),
		executable: b.has(i, flagExecutable),
	}
}

// find returns the number of the item called name.
func (b block) find(name string) (int, bool) {
	// Conversions in comparisons do not copy.
	i := sort.Search(b.len(), func(i int) bool { return string(b.name(i)) >= name })
	return i, i < b.len() && string(b.name(i)) == name
}

// folderItem is one item that is to be written into a block.
type folderItem struct {
	name   string
	kind   uint8
	target string
	record // the stamp is zero but for size and mode when it is not to be relied on
}

// at returns item i to be written anew.
func (b block) at(i int, fn Function) folderItem {
	return folderItem{string(b.name(i)), b.kind(i), b.target(i), record{b.stamp(i), b.content(i, fn)}}
}

// folderStamp tells one state of the listing of a folder from another. The zero
// stamp is that of no folder.
type folderStamp struct {
	device, inode uint64
	ctime, mtime  int64 // nanoseconds
}

func folderStampOf(st *unix.Stat_t) folderStamp {
	all := stampOf(st)
	return folderStamp{all.device, all.inode, all.ctime, all.mtime}
}

func (b block) folder() folderStamp {
	if len(b.raw) == 0 {
		return folderStamp{}
	}
	return folderStamp{
		binary.LittleEndian.Uint64(b.raw), binary.LittleEndian.Uint64(b.raw[8:]),
		int64(binary.LittleEndian.Uint64(b.raw[16:])), int64(binary.LittleEndian.Uint64(b.raw[24:])),
	}
}

// makeBlock writes a block without memos, of items sorted by name. It reports
// false for more text than a block can have, which is 4 GiB.
func makeBlock(folder folderStamp, items []folderItem) (block, bool) {
	text := 0
	for _, one := range items {
		text += len(one.name) + len(one.target) + 2
	}
	length := blockHead + len(items)*itemLength + text
	if uint64(text) > math.MaxUint32 {
		return block{}, false
	}
	out := appendNumbers(make([]byte, 0, length), folder.device, folder.inode, uint64(folder.ctime), uint64(folder.mtime))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(items)))
	out = binary.LittleEndian.AppendUint32(out, uint32(text))
	at := 0
	for _, one := range items {
		out = one.append(out, at)
		at += len(one.name) + len(one.target) + 2
	}
	for _, one := range items {
		out = append(append(append(append(out, one.name...), 0), one.target...), 0)
	}
	return openBlock(out), true
}

func (l folderItem) append(out []byte, textAt int) []byte {
	var flags byte
	if l.executable {
		flags |= flagExecutable
	}
	if !l.content.IsZero() {
		flags |= flagContent
	}
	size := l.size
	if l.kind == unix.DT_LNK {
		size = int64(len(l.target))
	}
	out = appendNumbers(out, l.device, l.inode, uint64(l.ctime), uint64(l.mtime), uint64(size))
	out = append(out, l.content.hash[:]...)
	out = binary.LittleEndian.AppendUint32(out, uint32(textAt))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(l.name)))
	return append(out, l.kind, flags)
}

func appendNumbers(out []byte, numbers ...uint64) []byte {
	for _, number := range numbers {
		out = binary.LittleEndian.AppendUint64(out, number)
	}
	return out
}
