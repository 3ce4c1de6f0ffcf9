package results

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestLastRunIsFound(t *testing.T) {
	files, _ := open(t)
	line := LineOf("/root", []string{"a", "b"})
	if _, ok := files.LoadLast(line); ok {
		t.Error("there is a last run of what never ran")
	}
	for _, key := range []string{"a long key that is first", "k2"} { // the file gets shorter
		if err := files.SaveLast(Last{Line: line, Key: key, Action: []byte{1}, Command: []byte{2}, NotKept: "why"}); err != nil {
			t.Fatal(err)
		}
	}
	last, ok := files.LoadLast(line)
	if !ok || last.Key != "k2" || last.NotKept != "why" || last.Action[0] != 1 || last.Command[0] != 2 {
		t.Errorf("%+v, %v", last, ok)
	}
	if found, ok := files.FindLast("k2"); !ok || found.Line != line {
		t.Errorf("%+v, %v", found, ok)
	}
	if _, ok := files.FindLast("a long key that is first"); ok {
		t.Error("an earlier run is found")
	}
	if LineOf("/root", []string{"a b"}) == line || LineOf("/", []string{"a", "b"}) == line {
		t.Error("other commands have the same line")
	}
}

// TestLastRunsAreBounded: however many commands there are, the files are few, and
// no command has the last run of another.
func TestLastRunsAreBounded(t *testing.T) {
	files, _ := open(t)
	line := LineOf("", []string{"x"})
	other := line[:lastDigits] + strings.Repeat("0", len(line)-lastDigits)
	for _, one := range []string{line, other} {
		if err := files.SaveLast(Last{Line: one, Key: "key"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := files.LoadLast(line); ok {
		t.Error("a command has the last run of another")
	}
	if names, _ := os.ReadDir(files.layout.Index()); len(names) != 1 {
		t.Errorf("%d files", len(names))
	}
	if err := files.SaveLast(Last{Line: line, Key: "large", Command: make([]byte, mostLast)}); err != nil {
		t.Error(err)
	}
	if _, ok := files.FindLast("large"); ok {
		t.Error("a large one was written down")
	}
}

// TestLastRunSurvivesRacesAndDamage: it is whole, or none is known.
func TestLastRunSurvivesRacesAndDamage(t *testing.T) {
	files, _ := open(t)
	line := LineOf("", []string{"x"})
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for range 20 {
				_ = files.SaveLast(Last{Line: line, Key: fmt.Sprint(i), NotKept: strings.Repeat(fmt.Sprint(i), 100*i)})
				if last, ok := files.LoadLast(line); ok && strings.Trim(last.NotKept, last.Key) != "" {
					t.Errorf("two runs are mixed: %.20s, %s", last.NotKept, last.Key)
				}
			}
		})
	}
	writers.Wait()
	path := files.lastPath(line)
	if err := files.SaveLast(Last{Line: line, Key: "whole"}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		broken := append([]byte{}, whole...)
		broken[i] ^= 1
		put(t, path, string(broken))
		if last, ok := files.LoadLast(line); ok && last.Key != "whole" {
			t.Fatalf("byte %d is damaged: %+v", i, last)
		}
	}
	if filepath.Dir(path) != files.layout.Index() {
		t.Error("it is not where indexes are")
	}
}
