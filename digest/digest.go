package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/zeebo/blake3"
)

// ErrDigest marks text or parts that do not form a digest.
var ErrDigest = errors.New("invalid digest")

// Function is a hash function. The zero value is [BLAKE3].
type Function uint8

const (
	// BLAKE3 with 256 bits of output, the default.
	BLAKE3 Function = iota
	// SHA256 is what most remote execution clusters speak.
	SHA256
)

// hashBytes is the length of a hash of either function.
const hashBytes = 32

// ParseFunction reads "blake3" or "sha256".
func ParseFunction(text string) (Function, error) {
	switch text {
	case "blake3":
		return BLAKE3, nil
	case "sha256":
		return SHA256, nil
	}
	return 0, fmt.Errorf("%w function %q: use blake3 or sha256", ErrDigest, text)
}

// String returns the spelling that [ParseFunction] reads.
func (f Function) String() string {
	switch f {
	case BLAKE3:
		return "blake3"
	case SHA256:
		return "sha256"
	}
	return "unknown"
}

// Digest names a blob by the hash of its bytes and their number. It is
// comparable and can be a map key. The zero Digest names nothing; every other
// one comes from a function of this package and is well-formed.
type Digest struct {
	size int64
	hash [hashBytes]byte
	kind uint8 // the Function plus one, so that the zero Digest is no digest
}

// New makes a digest of a hash, in 64 lower-case hexadecimal digits, and a size
// in bytes. It checks the form, not that any such content exists.
func New(fn Function, hash string, size int64) (Digest, error) {
	d := Digest{size: size, kind: uint8(fn) + 1}
	if fn > SHA256 {
		return Digest{}, fmt.Errorf("%w: hash function %d is unknown", ErrDigest, fn)
	}
	if size < 0 {
		return Digest{}, fmt.Errorf("%w: size %d is negative", ErrDigest, size)
	}
	if len(hash) != 2*hashBytes {
		return Digest{}, fmt.Errorf("%w: hash %q has %d characters, a %s hash has %d hexadecimal digits", ErrDigest, clip(hash), len(hash), fn, 2*hashBytes)
	}
	for i := range d.hash {
		high, low := hexValue(hash[2*i]), hexValue(hash[2*i+1])
		if high > 15 || low > 15 {
			return Digest{}, fmt.Errorf("%w: hash %q is not lower-case hexadecimal", ErrDigest, clip(hash))
		}
		d.hash[i] = high<<4 | low
	}
	return d, nil
}

// hexValue returns the value of a lower-case hexadecimal digit, or 255.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// clip keeps outside text in messages to a readable length.
func clip(text string) string {
	if len(text) > 80 {
		return text[:80] + "…"
	}
	return text
}

// Parse reads what [Digest.String] writes: "HASH/SIZE".
func Parse(fn Function, text string) (Digest, error) {
	hash, size, found := strings.Cut(text, "/")
	if !found {
		return Digest{}, fmt.Errorf("%w %q: write it as HASH/SIZE", ErrDigest, clip(text))
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != size {
		return Digest{}, fmt.Errorf("%w %q: %q is not a size in bytes", ErrDigest, clip(text), clip(size))
	}
	return New(fn, hash, n)
}

// Of returns the digest of data.
func Of(fn Function, data []byte) Digest {
	d := Digest{size: int64(len(data)), kind: uint8(fn) + 1}
	if fn == SHA256 {
		d.hash = sha256.Sum256(data)
	} else {
		d.hash = blake3.Sum256(data)
	}
	return d
}

// Function returns the hash function that the digest was made with. Of the
// zero Digest it returns BLAKE3.
func (d Digest) Function() Function {
	if d.kind == 0 {
		return BLAKE3
	}
	return Function(d.kind - 1)
}

// Hash returns the hash as 64 lower-case hexadecimal digits.
func (d Digest) Hash() string {
	var text [2 * hashBytes]byte
	hex.Encode(text[:], d.hash[:])
	return string(text[:])
}

// Size returns the length of the content in bytes.
func (d Digest) Size() int64 { return d.size }

// String returns "HASH/SIZE", or "" for the zero Digest.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	const digits = 20 // of the largest size
	text := make([]byte, 2*hashBytes, 2*hashBytes+1+digits)
	hex.Encode(text, d.hash[:])
	return string(strconv.AppendInt(append(text, '/'), d.size, 10))
}

// IsZero reports whether d is the zero Digest, which names nothing. The digest
// of no bytes is not zero.
func (d Digest) IsZero() bool { return d.kind == 0 }
