package compare

import (
	"math"
	"time"

	"larder/digest"
	"larder/digest/wire"
	"larder/executor/action"
)

// decodePlatform adds the properties of a platform, of which there is one even
// when it is empty.
func decodePlatform(found []action.Property, platform wire.Field) ([]action.Property, error) {
	if found == nil {
		found = []action.Property{}
	}
	err := platform.Each(func(f wire.Field) error {
		if f.Number != firstField {
			return nil
		}
		pair, err := action.ReadPair(f)
		found = append(found, pair)
		return err
	})
	return found, err
}

func decodeDigest(fn digest.Function, message wire.Field) (digest.Digest, error) {
	var hash string
	var size uint64
	err := message.Each(func(f wire.Field) (err error) {
		switch f.Number {
		case firstField:
			hash, err = f.Text()
		case secondField:
			size, err = f.Varint()
		}
		return err
	})
	if err != nil {
		return digest.Digest{}, err
	}
	return digest.New(fn, hash, int64(size))
}

// decodeDuration reads a duration; one that is longer than 292 years is that.
func decodeDuration(message wire.Field) (time.Duration, error) {
	var numbers [2]uint64
	err := message.Each(func(f wire.Field) (err error) {
		if f.Number == firstField || f.Number == secondField {
			numbers[f.Number-firstField], err = f.Varint()
		}
		return err
	})
	seconds, nanos := int64(numbers[0]), int64(numbers[1])
	if most := int64(math.MaxInt64 / time.Second); seconds >= most || seconds <= -most || nanos >= 1e9 || nanos <= -1e9 {
		return math.MaxInt64, err
	}
	return time.Duration(seconds)*time.Second + time.Duration(nanos), err
}
