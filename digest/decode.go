package digest

import (
	"errors"
	"fmt"

	"larder/digest/wire"
)

// DecodeDirectory reads a Directory message whose digests are of fn. It refuses
// broken encoding, names that are empty, ".", "..", repeated, unsorted, not
// UTF-8 or have a slash, digests that are malformed, and links without target.
// Fields that it does not know, node properties among them, are left out.
func DecodeDirectory(fn Function, data []byte) (Directory, error) {
	d, err := decodeDirectory(fn, data)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrTree, err)
	}
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

// decodeDirectory reads the fields, whatever names and targets they hold.
func decodeDirectory(fn Function, data []byte) (d Directory, err error) {
	err = wire.Each(data, func(f wire.Field) (err error) {
		switch f.Number {
		case directoryFiles:
			var file File
			file, err = decodeFile(fn, f)
			d.Files = append(d.Files, file)
		case directoryDirectories:
			var sub Sub
			sub, err = decodeSub(fn, f)
			d.Directories = append(d.Directories, sub)
		case directorySymlinks:
			var link Symlink
			link, err = decodeSymlink(f)
			d.Symlinks = append(d.Symlinks, link)
		}
		return err
	})
	return d, err
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

func decodeFile(fn Function, node wire.Field) (File, error) {
	var file File
	err := node.Each(func(f wire.Field) (err error) {
		switch f.Number {
		case nodeName:
			file.Name, err = f.Text()
		case nodeDigest:
			file.Digest, err = decodeDigest(fn, f, file.Digest)
		case fileExecutable:
			var value uint64
			value, err = f.Varint()
			file.Executable = value != 0
		}
		return err
	})
	return file, err
}

func decodeSub(fn Function, node wire.Field) (Sub, error) {
	var sub Sub
	err := node.Each(func(f wire.Field) (err error) {
		switch f.Number {
		case nodeName:
			sub.Name, err = f.Text()
		case nodeDigest:
			sub.Digest, err = decodeDigest(fn, f, sub.Digest)
		}
		return err
	})
	return sub, err
}

func decodeSymlink(node wire.Field) (Symlink, error) {
	var link Symlink
	err := node.Each(func(f wire.Field) (err error) {
		switch f.Number {
		case nodeName:
			link.Name, err = f.Text()
		case nodeTarget:
			link.Target, err = f.Text()
		}
		return err
	})
	return link, err
}

// decodeDigest reads a field that holds a Digest message. It refuses a second
// one in the same node: protobuf would merge the two into a third.
func decodeDigest(fn Function, node wire.Field, before Digest) (Digest, error) {
	if !before.IsZero() {
		return Digest{}, errors.New("a node has two digests")
	}
	var hash string
	var size uint64
	err := node.Each(func(f wire.Field) (err error) {
		switch f.Number {
		case digestHash:
			hash, err = f.Text()
		case digestSize:
			size, err = f.Varint()
		}
		return err
	})
	if err != nil {
		return Digest{}, err
	}
	return New(fn, hash, int64(size))
}
