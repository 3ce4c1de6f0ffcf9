package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"larder/sandbox"
)

// hintForBare is for a program that could not be started where nothing of the
// host is visible but what was declared.
func hintForBare(failed *sandbox.ExecError) string {
	if failed.NotFound() {
		return fmt.Sprintf("with --host none only --tool, --payload, --tree and inputs are visible, and none of them has %s; name its file or its folder with --tool, or leave out --host none", failed.Program)
	}
	if !failed.MissingInterpreter {
		return ""
	}
	needed, isLoader := interpreterOf(failed.Path)
	switch {
	case needed == "":
		return "name what it needs with --tool, or leave out --host none"
	case !isLoader:
		return fmt.Sprintf("it needs %s; add --tool %s and what that needs, or leave out --host none", needed, needed)
	}
	return fmt.Sprintf("it is linked dynamically and needs the loader %s and the libraries that ldd %s lists; add --tool %s and --tool of the folders of these libraries, use a statically linked program, or leave out --host none",
		needed, failed.Path, filepath.Dir(needed))
}

// interpreterOf reads from a program what has to be there to start it: what its
// first line names, or its loader.
func interpreterOf(path string) (needed string, isLoader bool) {
	file, err := os.Open(path)
	if err != nil {
		return "", false // not a file of the host
	}
	defer file.Close()
	head := make([]byte, 4096)
	n, _ := io.ReadFull(file, head)
	head = head[:n]
	if line, isScript := bytes.CutPrefix(head, []byte("#!")); isScript {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		needed, _, _ = strings.Cut(strings.TrimSpace(string(line)), " ")
		return needed, false
	}
	return loaderIn(head), true
}

// loaderIn finds the path of the loader in the first page of a 64-bit ELF file,
// little-endian as on every machine that has sandboxes; "" when there is none
// (elf(5), PT_INTERP). A package that reads all of the format costs time at each
// start.
func loaderIn(head []byte) string {
	const headerSize, entrySize, interpreter = 64, 56, 3
	if len(head) < headerSize || !bytes.HasPrefix(head, []byte("\x7fELF\x02\x01")) {
		return ""
	}
	begin, count := binary.LittleEndian.Uint64(head[32:]), int(binary.LittleEndian.Uint16(head[56:]))
	for range count {
		if begin > uint64(len(head)-entrySize) {
			return ""
		}
		entry := head[begin:]
		at, size := binary.LittleEndian.Uint64(entry[8:]), binary.LittleEndian.Uint64(entry[32:])
		if binary.LittleEndian.Uint32(entry) == interpreter && at < uint64(len(head)) && size <= uint64(len(head))-at {
			return string(bytes.TrimRight(head[at:at+size], "\x00"))
		}
		begin += entrySize
	}
	return ""
}
