package digest

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/zeebo/blake3"
)

// Hasher computes the digest of what is written to it. It is for one goroutine
// at a time.
type Hasher struct {
	fn    Function
	state hash.Hash
	size  int64
}

// NewHasher returns a Hasher that has seen no bytes yet.
func NewHasher(fn Function) *Hasher {
	if fn == SHA256 {
		return &Hasher{fn: fn, state: sha256.New()}
	}
	return &Hasher{fn: fn, state: blake3.New()}
}

// Write takes more content; it never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	h.size += int64(len(p))
	return h.state.Write(p)
}

// Digest returns the digest of all that was written so far. More may follow.
func (h *Hasher) Digest() Digest {
	d := Digest{size: h.size, kind: uint8(h.fn) + 1}
	h.state.Sum(d.hash[:0])
	return d
}

// Reset forgets what was written.
func (h *Hasher) Reset() {
	h.size = 0
	h.state.Reset()
}

// bufferSize is how much of a file is in memory at a time. BLAKE3 reaches full
// speed from about 64 KiB on; more than this gains nothing measurable.
const bufferSize = 512 << 10

// buffers keeps read buffers for reuse, each of bufferSize.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// OfReader returns the digest of everything that r has, reading it in pieces,
// so that memory does not grow with its length. An error of r is wrapped.
func OfReader(fn Function, r io.Reader) (Digest, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	h := NewHasher(fn)
	// The wrapper hides WriteTo of r, which would bring a buffer of its own.
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, buffer[:]); err != nil {
		return Digest{}, fmt.Errorf("read content to hash: %w", err)
	}
	return h.Digest(), nil
}
