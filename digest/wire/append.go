package wire

import (
	"encoding/binary"
	"math/bits"
)

// AppendVarint writes a field that holds a number, or 1 for true.
func AppendVarint(message []byte, number int, value uint64) []byte {
	return binary.AppendUvarint(appendTag(message, number, varintKind), value)
}

// AppendBytes writes a field that holds a text, bytes or a message.
func AppendBytes[T string | []byte](message []byte, number int, value T) []byte {
	return append(AppendLength(message, number, len(value)), value...)
}

// AppendLength starts a field of bytes: the caller appends as many as it says.
func AppendLength(message []byte, number, length int) []byte {
	return binary.AppendUvarint(appendTag(message, number, bytesKind), uint64(length))
}

func appendTag(message []byte, number int, kind kind) []byte {
	return binary.AppendUvarint(message, uint64(number)<<kindBits|uint64(kind))
}

// SizeVarint is how many bytes [AppendVarint] writes for a field with a number
// below 16.
func SizeVarint(value uint64) int { return 1 + sizeUvarint(value) }

// SizeBytes is how many bytes [AppendBytes] writes for a field with a number below
// 16.
func SizeBytes(length int) int { return 1 + sizeUvarint(uint64(length)) + length }

// sizeUvarint counts seven bits a byte, and a byte for zero.
func sizeUvarint(value uint64) int { return (bits.Len64(value|1) + 6) / 7 }
