package digest

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// memo is what a scan made of a folder under one selection. With the same names
// and files in the folder, the same rules for it and the same trees below it, the
// next scan makes the same of it, so it decides on no name again and writes no
// message:
//
//	key: what decides which names are taken, see [scanner.keyOf]
//	below: what the trees below the folder were
//	digest of the folder: hash, size
//	which of the patterns that have to match something did so, one bit each
//	number of files taken
//	which items were taken, one bit each; not for directories
//
// A block has one memo for each of a few selections, the newest first.
type memo struct {
	key, below sum
	digest     Digest
	matched    uint64
	files      int
	taken      []byte
}

// sum is half a BLAKE3 hash: what nobody makes up on purpose needs no more.
type sum [16]byte

func sumOf(data []byte) sum {
	d := Of(BLAKE3, data)
	return sum(d.hash[:16])
}

const (
	// mostMemos bounds the memos of a block.
	mostMemos = 4
	// mostMatched is how many patterns a memo can tell about.
	mostMatched = 64
	memoHead    = 32 + hashBytes + 24
)

// memoLength is the length of each memo of a block with so many items.
func memoLength(items int) int { return memoHead + bytesFor(items) }

// bytesFor is how many bytes hold so many bits.
func bytesFor(bits int) int { return (bits + 7) / 8 }

// isTaken reports whether the bit of item i is set.
func isTaken(taken []byte, i int) bool { return taken[i/8]&(1<<(i%8)) != 0 }

// memo returns the memo of the selection with this key.
func (b block) memo(key sum, fn Function) (memo, bool) {
	length := memoLength(b.len())
	for rest := b.memos; len(rest) >= length; rest = rest[length:] {
		if sum(rest) == key {
			return openMemo(rest[:length], fn), true
		}
	}
	return memo{}, false
}

func openMemo(raw []byte, fn Function) memo {
	numbers := raw[32+hashBytes:]
	m := memo{
		key: sum(raw), below: sum(raw[16:]), taken: raw[memoHead:],
		matched: binary.LittleEndian.Uint64(numbers[8:]),
		files:   int(binary.LittleEndian.Uint32(numbers[16:])),
		digest:  Digest{size: int64(binary.LittleEndian.Uint64(numbers) &^ (1 << 63)), kind: uint8(fn) + 1},
	}
	copy(m.digest.hash[:], raw[32:])
	return m
}

func (m memo) append(out []byte) []byte {
	out = append(append(append(out, m.key[:]...), m.below[:]...), m.digest.hash[:]...)
	out = appendNumbers(out, uint64(m.digest.size), m.matched, uint64(m.files))
	return append(out, m.taken...)
}

// with returns the block with m, in the place of one of the same key or before
// all others, of which the last one is dropped when there are too many. It
// reports whether that is worth being saved: where many selections take turns,
// one more would drive out another each time.
func (b block) with(m memo) (changed block, worth bool) {
	length := memoLength(b.len())
	memos := slices.Collect(slices.Chunk(b.memos, length))
	at := slices.IndexFunc(memos, func(raw []byte) bool { return sum(raw) == m.key })
	raw := m.append(nil)
	if at < 0 {
		worth = len(memos) < mostMemos
		memos = slices.Insert(memos, 0, raw)
	} else {
		worth = string(memos[at]) != string(raw)
		memos[at] = raw
	}
	out := slices.Clone(b.core())
	for _, raw := range memos[:min(len(memos), mostMemos)] {
		out = append(out, raw...)
	}
	return openBlock(out), worth
}

// matchedNumbers lists the bits that are set.
func matchedNumbers(matched uint64) []int {
	var numbers []int
	for ; matched != 0; matched &= matched - 1 {
		numbers = append(numbers, bits.TrailingZeros64(matched))
	}
	return numbers
}
