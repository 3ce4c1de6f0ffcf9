package caches

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ErrSeal marks a record whose bytes are not those that were written.
var ErrSeal = errors.New("its checksum is wrong")

// Seal adds a line with a checksum, the beginning of a SHA-256, to a record of
// one line.
func Seal(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return append(append(bytes.Clone(line), '\n'), sealOf(line)+"\n"...)
}

func sealOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:16])
}

// Unseal returns the line that [Seal] was given, or [ErrSeal]. A record of one
// line without a seal is taken as it is.
func Unseal(data []byte) ([]byte, error) {
	line, seal, _ := bytes.Cut(data, []byte("\n"))
	if len(seal) > 0 && string(seal) != sealOf(line)+"\n" {
		return nil, ErrSeal
	}
	return line, nil
}
