package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"larder/caches/archive"
)

// compressorName is the program that compresses exported caches. Linked into
// larder, its tables would cost every start a quarter of a millisecond.
const compressorName = "larder-zstd"

// compressorDamaged is its exit code for input that is damaged. The package that
// declares it is one that larder must not link; a test compares the two.
const compressorDamaged = 2

// findCompressor looks beside this program first: what was built together works
// together.
func findCompressor() (string, error) {
	own, err := os.Executable()
	if err == nil {
		own, err = filepath.EvalSymlinks(own)
	}
	if err != nil {
		return "", fmt.Errorf("find the folder of larder: %w", err)
	}
	beside := filepath.Join(filepath.Dir(own), compressorName)
	if _, err := exec.LookPath(beside); err == nil {
		return beside, nil
	}
	found, err := exec.LookPath(compressorName)
	if err != nil {
		return "", fmt.Errorf("%s, the program that compresses exported caches, is neither in %s nor on PATH; in larder's sources make build builds both, go install ./cmd/larder ./cmd/larder-zstd installs both", compressorName, filepath.Dir(own))
	}
	return found, nil
}

// compressor is the codec of exports and imports: the program, which ends when
// ctx does.
func compressor(ctx context.Context) (archive.Codec, error) {
	path, err := findCompressor()
	return codecOf(ctx, path), err
}

func codecOf(ctx context.Context, path string) archive.Codec {
	return archive.Codec{
		Pack: func(to io.Writer) (io.WriteCloser, error) {
			program, err := startPiped(ctx, path)
			if err != nil {
				return nil, err
			}
			go program.serve(to, program.out, program.out)
			return &packing{program: program, buffer: bufio.NewWriterSize(program.in, 64<<10)}, nil
		},
		Unpack: func(from io.Reader) (io.ReadCloser, error) {
			program, err := startPiped(ctx, path, "-d")
			if err != nil {
				return nil, err
			}
			go program.serve(program.in, from, program.in)
			return unpacking{program}, nil
		},
	}
}

// packing writes to the program, while the goroutine takes away what comes out.
type packing struct {
	program *piped
	buffer  *bufio.Writer
}

func (p *packing) Write(data []byte) (int, error) {
	n, err := p.buffer.Write(data)
	if err != nil {
		err = p.finish(err)
	}
	return n, err
}

// Close returns nil when all that was written has been compressed and taken.
func (p *packing) Close() error { return p.finish(p.buffer.Flush()) }

// finish ends the program by the end of its input. What it says of its own end
// explains more than that nothing could be written to it.
func (p *packing) finish(err error) error {
	_ = p.program.in.Close()
	select {
	case <-p.program.served:
	case <-p.program.ctx.Done(): // nobody may take what comes out
	}
	if ended := p.program.end(); ended != nil {
		return ended
	}
	if err != nil {
		err = fmt.Errorf("%w: %s: %w", archive.ErrBrokenOff, p.program.command.Path, err)
	}
	return err
}

// unpacking reads from the program, while the goroutine gives it what it asks for.
type unpacking struct{ *piped }

// Read says io.EOF only when the program has ended well and has read all.
func (u unpacking) Read(data []byte) (int, error) {
	n, err := u.out.Read(data)
	if err == nil {
		return n, nil
	}
	if ended := u.end(); ended != nil {
		return n, ended
	}
	if errors.Is(err, os.ErrClosed) { // read again, after the end
		err = io.EOF
	}
	return n, err
}

// Close ends the program wherever it is. The goroutine may still wait for its
// reader, until this process ends.
func (u unpacking) Close() error {
	u.giveUp()
	_ = u.end() // it was made to end
	return nil
}
