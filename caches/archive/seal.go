package archive

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"larder/caches/layers"
	"larder/digest"
)

// The seal is the last thing in a file: a skippable frame of zstd, which other
// programs pass over, with the BLAKE3 of every byte before it. The checksums of
// zstd and of the listing are about what comes out; some bits of a compressed
// stream can be flipped without that changing.
const (
	sealHead   = "\x5e\x2a\x4d\x18\x20\x00\x00\x00" // magic number 0x184d2a5e, then the length 32
	sealLength = len(sealHead) + 32
)

// sealing hashes what is written.
type sealing struct {
	to  io.Writer
	sum *digest.Hasher
}

func (s *sealing) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.sum.Write(p[:n])
	return n, err
}

// seal writes the last frame.
func (s *sealing) seal() error {
	_, err := s.to.Write(sealOf(s.sum))
	return err
}

func sealOf(sum *digest.Hasher) []byte {
	raw, _ := hex.DecodeString(sum.Digest().Hash()) // is always of 64 digits
	return append([]byte(sealHead), raw...)
}

// unsealing hashes what is read, but for the end that may be the seal.
type unsealing struct {
	from io.Reader
	sum  *digest.Hasher
	end  []byte
}

func (u *unsealing) Read(p []byte) (int, error) {
	n, err := u.from.Read(p)
	u.end = append(u.end, p[:n]...)
	if past := len(u.end) - sealLength; past > 0 {
		u.sum.Write(u.end[:past])
		u.end = append(u.end[:0], u.end[past:]...)
	}
	return n, err
}

// check reads what the decompressor left, and compares the seal.
func (u *unsealing) check() error {
	n, err := io.Copy(io.Discard, struct{ io.Reader }{u})
	if err == nil && n > 0 {
		err = errors.New("something follows its end")
	}
	if err == nil && !bytes.Equal(u.end, sealOf(u.sum)) {
		err = errors.New("its bytes are not those that were written")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", layers.ErrDamaged, err)
	}
	return nil
}
