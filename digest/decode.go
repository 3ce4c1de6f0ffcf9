package digest

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// DecodeDirectory reads a Directory message whose digests are of fn. It refuses
// broken encoding, names that are empty, ".", "..", repeated, unsorted, not
// UTF-8 or have a slash, digests that are malformed, and links without target.
// Fields that it does not know, node properties among them, are left out.
func DecodeDirectory(fn Function, data []byte) (Directory, error) {
	var d Directory
	err := eachField(data, func(f field) error {
		switch f.number {
		case directoryFiles:
			return f.message(func(inner []byte) error {
				file, err := decodeFile(fn, inner)
				d.Files = append(d.Files, file)
				return err
			})
		case directoryDirectories:
			return f.message(func(inner []byte) error {
				sub, err := decodeSub(fn, inner)
				d.Directories = append(d.Directories, sub)
				return err
			})
		case directorySymlinks:
			return f.message(func(inner []byte) error {
				link, err := decodeSymlink(inner)
				d.Symlinks = append(d.Symlinks, link)
				return err
			})
		}
		return nil
	})
	if err == nil {
		err = d.checkSorted()
	}
	if err == nil {
		err = d.check()
	}
	if err != nil {
		return Directory{}, fmt.Errorf("directory message: %w", err)
	}
	return d, nil
}

func (d Directory) checkSorted() error {
	for i := 1; i < len(d.Files); i++ {
		if d.Files[i-1].Name >= d.Files[i].Name {
			return unsorted(d.Files[i].Name)
		}
	}
	for i := 1; i < len(d.Directories); i++ {
		if d.Directories[i-1].Name >= d.Directories[i].Name {
			return unsorted(d.Directories[i].Name)
		}
	}
	for i := 1; i < len(d.Symlinks); i++ {
		if d.Symlinks[i-1].Name >= d.Symlinks[i].Name {
			return unsorted(d.Symlinks[i].Name)
		}
	}
	return nil
}

func unsorted(name string) error {
	return fmt.Errorf("%w: name %q is not in sorted order", ErrTree, clip(name))
}

func decodeFile(fn Function, data []byte) (File, error) {
	var file File
	err := eachField(data, func(f field) (err error) {
		switch f.number {
		case nodeName:
			file.Name, err = f.text()
		case nodeDigest:
			file.Digest, err = decodeDigest(fn, f, file.Digest)
		case fileExecutable:
			var value uint64
			value, err = f.varint()
			file.Executable = value != 0
		}
		return err
	})
	return file, err
}

func decodeSub(fn Function, data []byte) (Sub, error) {
	var sub Sub
	err := eachField(data, func(f field) (err error) {
		switch f.number {
		case nodeName:
			sub.Name, err = f.text()
		case nodeDigest:
			sub.Digest, err = decodeDigest(fn, f, sub.Digest)
		}
		return err
	})
	return sub, err
}

func decodeSymlink(data []byte) (Symlink, error) {
	var link Symlink
	err := eachField(data, func(f field) (err error) {
		switch f.number {
		case nodeName:
			link.Name, err = f.text()
		case nodeTarget:
			link.Target, err = f.text()
		}
		return err
	})
	return link, err
}

// decodeDigest reads a field that holds a Digest message. It refuses a second
// one in the same node: protobuf would merge the two into a third.
func decodeDigest(fn Function, outer field, before Digest) (Digest, error) {
	var d Digest
	if !before.IsZero() {
		return d, fmt.Errorf("%w: a node has two digests", ErrTree)
	}
	err := outer.message(func(data []byte) error {
		var hash string
		var size uint64
		err := eachField(data, func(f field) (err error) {
			switch f.number {
			case digestHash:
				hash, err = f.text()
			case digestSize:
				size, err = f.varint()
			}
			return err
		})
		if err != nil {
			return err
		}
		if d, err = New(fn, hash, int64(size)); err != nil {
			return fmt.Errorf("%w: %w", ErrTree, err)
		}
		return nil
	})
	return d, err
}

// field is one field of a message as it is on the wire.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  []byte
}

// eachField calls visit for each field of a message, in the order of the wire.
// A scalar that comes twice has its last value, as in every protobuf parser.
func eachField(data []byte, visit func(field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrTree, protowire.ParseError(n))
		}
		data = data[n:]
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return fmt.Errorf("%w: %w", ErrTree, protowire.ParseError(n))
		}
		if err := visit(field{number, kind, data[:n]}); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// bytes returns the value of a length-delimited field.
func (f field) bytes() ([]byte, error) {
	if f.kind != protowire.BytesType {
		return nil, fmt.Errorf("%w: field %d has wire type %d", ErrTree, f.number, f.kind)
	}
	value, n := protowire.ConsumeBytes(f.value)
	if n < 0 {
		return nil, fmt.Errorf("%w: %w", ErrTree, protowire.ParseError(n))
	}
	return value, nil
}

func (f field) text() (string, error) {
	value, err := f.bytes()
	return string(value), err
}

func (f field) message(decode func([]byte) error) error {
	value, err := f.bytes()
	if err != nil {
		return err
	}
	return decode(value)
}

func (f field) varint() (uint64, error) {
	if f.kind != protowire.VarintType {
		return 0, fmt.Errorf("%w: field %d has wire type %d", ErrTree, f.number, f.kind)
	}
	value, n := protowire.ConsumeVarint(f.value)
	if n < 0 {
		return 0, fmt.Errorf("%w: %w", ErrTree, protowire.ParseError(n))
	}
	return value, nil
}
