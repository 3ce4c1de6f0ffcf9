package mypyplan

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoPython marks a mypy that does not tell which Python runs it.
var ErrNoPython = errors.New("no Python of mypy")

// Python finds the Python that runs the program mypy at a path: that of its
// first line.
func Python(program string) (string, error) {
	file, err := os.Open(program)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoPython, err)
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) != 1 || !strings.Contains(filepath.Base(words[0]), "python") {
		return "", fmt.Errorf("%w: %s does not begin with #! and the path of a Python; name the environment that mypy is installed in with --tool DIR", ErrNoPython, program)
	}
	return words[0], nil
}
