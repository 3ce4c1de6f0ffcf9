package main

import (
	"bufio"
	"debug/elf"
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
	needed, libraries := interpreterOf(failed.Path)
	switch {
	case needed == "":
		return "name what it needs with --tool, or leave out --host none"
	case libraries == "":
		return fmt.Sprintf("it needs %s; add --tool %s and what that needs, or leave out --host none", needed, needed)
	}
	return fmt.Sprintf("it is linked dynamically and needs the loader %s, and %s; add --tool %s and --tool of the folders of these libraries, use a statically linked program, or leave out --host none",
		needed, libraries, filepath.Dir(needed))
}

// interpreterOf reads from a program what has to be there to start it: what its
// first line names, or its loader and, separately, its libraries.
func interpreterOf(path string) (needed, libraries string) {
	file, err := os.Open(path)
	if err != nil {
		return "", "" // not a file of the host
	}
	defer file.Close()
	line, _ := bufio.NewReaderSize(file, 512).ReadString('\n')
	if rest, isScript := strings.CutPrefix(line, "#!"); isScript {
		needed, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
		return needed, ""
	}
	program, err := elf.NewFile(file)
	if err != nil {
		return "", ""
	}
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP && segment.Filesz < 4096 {
			text, _ := io.ReadAll(segment.Open())
			needed = strings.TrimRight(string(text), "\x00")
		}
	}
	names, _ := program.ImportedLibraries()
	return needed, strings.Join(names, ", ")
}
