package digest

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// hashFile returns the digest of the file called name in the directory at, and
// its stat. It fails with ErrChanged when the file changed while it was read.
func hashFile(ctx context.Context, fn Function, at int, name string, flags int) (Digest, unix.Stat_t, error) {
	// Without O_NONBLOCK the open would hang on a FIFO put in the file's place.
	fd, err := retryOnInterrupt(func() (int, error) {
		return unix.Openat(at, name, flags|unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	})
	if err != nil {
		return Digest{}, unix.Stat_t{}, err
	}
	defer unix.Close(fd)
	return hashOpen(ctx, fn, fd)
}

// hashOpen hashes the open file fd from its start.
func hashOpen(ctx context.Context, fn Function, fd int) (d Digest, before unix.Stat_t, err error) {
	if err = unix.Fstat(fd, &before); err != nil {
		return d, before, err
	}
	if before.Mode&unix.S_IFMT != unix.S_IFREG {
		return d, before, fmt.Errorf("%w: no longer a regular file", ErrChanged)
	}
	if d, err = hashBytesOf(ctx, fn, fd, before.Size); err != nil {
		return d, before, err
	}
	var after unix.Stat_t
	if err = unix.Fstat(fd, &after); err != nil {
		return d, before, err
	}
	if stampOf(&before) != stampOf(&after) || d.Size() != after.Size {
		return d, before, fmt.Errorf("%w; run again when nothing writes to it", ErrChanged)
	}
	return d, before, nil
}

// hashBytesOf reads fd to its end. What fits into one buffer is hashed in one
// go, which spares the state of a Hasher. It stops once there is more than size
// bytes: a file that grows faster than it is read would never end.
func hashBytesOf(ctx context.Context, fn Function, fd int, size int64) (Digest, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	n, err := readAtLeast(ctx, fd, buffer[:min(size+1, bufferSize)], int(min(max(size, 1), bufferSize)))
	if err != nil {
		return Digest{}, err
	}
	if n < bufferSize {
		return Of(fn, buffer[:n]), nil
	}
	h := NewHasher(fn)
	for n > 0 && h.size <= size {
		h.Write(buffer[:n])
		if n, err = readAtLeast(ctx, fd, buffer[:], bufferSize); err != nil {
			return Digest{}, err
		}
	}
	return h.Digest(), nil
}

// readAtLeast reads until the buffer has so many bytes, or less where the file
// ends. Who knows the size asks for one byte less than there is room for: the read
// that returns it shows the end as well.
func readAtLeast(ctx context.Context, fd int, buffer []byte, least int) (int, error) {
	filled := 0
	for filled < least {
		if err := ctx.Err(); err != nil {
			return filled, err
		}
		n, err := retryOnInterrupt(func() (int, error) { return unix.Read(fd, buffer[filled:]) })
		if err != nil {
			return filled, err
		}
		if n == 0 {
			break
		}
		filled += n
	}
	return filled, nil
}

// stamp is what tells one state of a file from another without reading it.
type stamp struct {
	device, inode uint64
	ctime, mtime  int64 // nanoseconds
	size          int64
	executable    bool
}

func stampOf(st *unix.Stat_t) stamp {
	return stamp{
		device:     uint64(st.Dev),
		inode:      st.Ino,
		ctime:      st.Ctim.Nano(),
		mtime:      st.Mtim.Nano(),
		size:       st.Size,
		executable: st.Mode&0o100 != 0,
	}
}

// FileDigest returns the digest of one host file, following symbolic links, as
// for the program that a command names. With an index it reads the file only
// when the index does not know it, and remembers it there; the hash function is
// then the index's, otherwise BLAKE3.
func FileDigest(path string, idx *Index) (Digest, error) {
	if idx == nil {
		idx = NewIndex(BLAKE3)
	}
	d, err := idx.fileDigest(path)
	if err != nil {
		return Digest{}, &Problem{Path: path, Err: err}
	}
	return d, nil
}

func (x *Index) fileDigest(path string) (Digest, error) {
	began := x.now()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Digest{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return Digest{}, fmt.Errorf("is %w", ErrUnsupportedFile)
	}
	if d, ok := x.lookup(path, &st); ok {
		return d, nil
	}
	d, st, err := hashFile(context.Background(), x.fn, unix.AT_FDCWD, path, 0)
	if err != nil {
		return Digest{}, readProblem(err)
	}
	if settled(&st, began) {
		x.remember(path, record{stampOf(&st), d})
	} else {
		x.forget(path)
	}
	return d, nil
}
