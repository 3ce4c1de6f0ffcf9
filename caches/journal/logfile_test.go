package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t testing.TB, path string, size int64) {
	t.Helper()
	file, err := os.Create(path)
	if err == nil {
		err = errors.Join(file.Truncate(size), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestALogFileIsADayAndBounded(t *testing.T) {
	l := &logFile{folder: filepath.Join(t.TempDir(), "log")}
	defer l.close()
	line := []byte(`{"time":"2026-11-21T00:00:00Z"}` + "\n")
	for _, day := range []string{"2026-11-21", "2026-11-21", "2026-11-22"} {
		if err := l.write(day, line); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		long := []byte(strings.Repeat("x", fullFile) + "\n")
		if err := l.write("2026-11-22", long); err != nil {
			t.Fatal(err)
		}
	}
	other := &logFile{folder: l.folder}
	defer other.close()
	if err := other.write("2026-11-22", line); err != nil {
		t.Fatal(err)
	}
	want := []string{"2026-11-21.log", "2026-11-22.log", "2026-11-22.log.001", "2026-11-22.log.002"}
	if diff := cmp.Diff(want, logFiles(l.folder)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOldLogFilesGo(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"2026-09-01.log", "2026-10-22.log", "2026-10-23.log", "2026-11-20.log", "README", "2026-11-2x.log"} {
		write(t, filepath.Join(folder, name), 10)
	}
	trim(folder, "2026-11-21")
	want := []string{"2026-10-23.log", "2026-11-20.log"}
	if diff := cmp.Diff(want, logFiles(folder)); diff != "" {
		t.Errorf("after %d days (-want +got):\n%s", MostDays, diff)
	}
	for n := range 10 {
		write(t, filepath.Join(folder, fmt.Sprintf("2026-11-21.log.%03d", n+1)), fullFile)
	}
	trim(folder, "2026-11-21")
	left := logFiles(folder)
	if len(left) != MostBytes/fullFile-1 || left[len(left)-1] != "2026-11-21.log.010" {
		t.Errorf("left within %d bytes: %v", MostBytes, left)
	}
	if _, err := os.Stat(filepath.Join(folder, "README")); err != nil {
		t.Errorf("a file that is no log: %v", err)
	}
}

func TestFollowingGoesOverMidnightAndRotation(t *testing.T) {
	j, layout := newJournal(t)
	folder := layout.Log()
	say := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(filepath.Join(folder, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = file.WriteString(text)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	line := func(n int) string {
		return fmt.Sprintf(`{"time":"2026-11-21T10:00:%02dZ","event":"e","n":%d,"text":"{\"time\":\""}`, n, n)
	}
	follower := j.Follow(time.Date(2026, 11, 21, 10, 0, 2, 0, time.UTC))
	next := func() string {
		var numbers []string
		for _, event := range lines(t, follower) {
			numbers = append(numbers, fmt.Sprint(event["n"]))
		}
		return strings.Join(numbers, " ")
	}
	for _, step := range []struct{ name, text, want string }{
		{"2026-11-20.log", line(9) + "\n", ""},
		{"2026-11-21.log", line(1) + "\n" + line(2) + "\n" + line(3)[:20], "2"},
		{"2026-11-21.log", line(3)[20:] + "\n", "3"},
		{"2026-11-21.log", line(4)[:30] + line(5) + "\n" + line(6)[:30] + "\n" + "nonsense\n", "5"},
		{"2026-11-21.log.001", line(6) + "\n", "6"},
		{"2026-11-22.log", line(7) + "\n", "7"},
		{"2026-11-21.log", line(8) + "\n", "8"},
	} {
		say(step.name, step.text)
		if got := next(); got != step.want {
			t.Errorf("after %q: %q, want %q", step.text, got, step.want)
		}
	}
	if err := os.Remove(filepath.Join(folder, "2026-11-21.log")); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "" {
		t.Errorf("after an old file went: %q", got)
	}
}

func TestALineHasItsFields(t *testing.T) {
	j, _ := newJournal(t)
	before := time.Now().UTC().Truncate(time.Millisecond)
	j.Log("checkout", "cache", "mypy\n", "n", 3)
	j.Warn("violation")
	events := lines(t, j.Follow(before))
	if len(events) != 2 {
		t.Fatalf("%v", events)
	}
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(events[0]["time"]))
	if err != nil || at.Before(before) || at.Location() != time.UTC {
		t.Errorf("time %v, %v", events[0]["time"], err)
	}
	if first := events[0]; first["event"] != "checkout" || first["cache"] != "mypy\n" || first["n"] != 3.0 ||
		first["pid"] != float64(os.Getpid()) || first["level"] != "INFO" || events[1]["level"] != "WARN" {
		t.Errorf("%v", events)
	}
	stop := errors.New("stop")
	if err := j.Follow(before).Next(func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("each ended it with %v", err)
	}
}
