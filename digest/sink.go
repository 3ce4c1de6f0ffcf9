package digest

import "context"

// Sink stores the message of a directory and returns its digest, such as a
// store's function for adding blobs does. Directories come in an order in which
// what a message names was there before, or was stored before it; so when an
// operation fails or is killed half-way, what it stored is whole, and nothing
// names it. Files are not looked at: a tree may name blobs that are nowhere,
// and whoever uses it finds out.
type Sink func(ctx context.Context, message []byte) (Digest, error)

// Sink returns a sink that keeps messages in m under digests of fn.
func (m Directories) Sink(fn Function) Sink {
	return func(_ context.Context, message []byte) (Digest, error) {
		d := Of(fn, message)
		m[d] = message
		return d, nil
	}
}

// put adds an entry, whose name sorts after all that are there of its kind.
func (d *Directory) put(e Entry) {
	name := lastComponent(e.Path)
	switch e.Kind {
	case KindFile:
		d.Files = append(d.Files, File{name, e.Digest, e.Executable})
	case KindDirectory:
		d.Directories = append(d.Directories, Sub{name, e.Digest})
	case KindSymlink:
		d.Symlinks = append(d.Symlinks, Symlink{name, e.Target})
	}
}
