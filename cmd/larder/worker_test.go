package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"larder/digest"
	"larder/executor/local"
	"larder/executor/worker"
)

// workerProcess is a larder worker that is really one.
type workerProcess struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	lines *bufio.Scanner
	store string
}

func startWorker(t *testing.T, larder, store string, flags ...string) *workerProcess {
	t.Helper()
	w := &workerProcess{t: t, cmd: exec.Command(larder, append([]string{"--store", store, "worker"}, flags...)...), store: store}
	w.cmd.Dir, w.cmd.Stderr = t.TempDir(), os.Stderr
	var err error
	if w.in, err = w.cmd.StdinPipe(); err == nil {
		w.out, err = w.cmd.StdoutPipe()
	}
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	w.lines = bufio.NewScanner(w.out)
	w.lines.Buffer(nil, 1<<20)
	return w
}

func (w *workerProcess) ask(format string, args ...any) {
	w.t.Helper()
	if _, err := fmt.Fprintf(w.in, format+"\n", args...); err != nil {
		w.t.Fatal(err)
	}
}

// sleep asks for a command that ends by a signal only, which says when it runs.
func (w *workerProcess) sleep(id, mark string) {
	w.ask(`{"id":%q,"spec":{"argv":["sh","-c","(setsid sh -c ': %s; sleep 1000; :' &); exec sleep 1000"]},"results":"off"}`, id, mark)
}

func (w *workerProcess) answer() worker.Answer {
	w.t.Helper()
	var answer worker.Answer
	if !w.lines.Scan() {
		w.t.Fatalf("no more answers: %v", w.lines.Err())
	}
	if err := json.Unmarshal(w.lines.Bytes(), &answer); err != nil {
		w.t.Fatalf("%v: %s", err, w.lines.Text())
	}
	return answer
}

// end waits for the end of the process.
func (w *workerProcess) end() int {
	w.t.Helper()
	ended := make(chan struct{})
	go func() {
		_ = w.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return w.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		w.t.Fatal("the worker does not end")
		return 0
	}
}

// appears waits until a process has the mark, and gone until none has.
func appears(t *testing.T, mark string) {
	t.Helper()
	if !eventually(func() bool { return len(processesWith(mark)) > 0 }) {
		t.Fatalf("%s never ran", mark)
	}
}

func gone(t *testing.T, mark string) {
	t.Helper()
	if !eventually(func() bool { return len(processesWith(mark)) == 0 }) {
		t.Errorf("still there: %v", processesWith(mark))
	}
}

// TestWorkerEnds: by signals, by the end of its reader, by SIGKILL. Everything that
// was accepted is answered, while somebody reads, and nothing stays.
func TestWorkerEnds(t *testing.T) {
	needSandbox(t)
	larder := buildLarder(t)
	for name, one := range map[string]struct {
		how     func(*workerProcess)
		code    int
		answers int
	}{
		"SIGTERM":     {func(w *workerProcess) { _ = w.cmd.Process.Signal(syscall.SIGTERM) }, 128 + int(syscall.SIGTERM), 2},
		"SIGINT":      {func(w *workerProcess) { _ = w.cmd.Process.Signal(syscall.SIGINT) }, 128 + int(syscall.SIGINT), 2},
		"its reader":  {func(w *workerProcess) { w.out.Close() }, codeFailed, 0},
		"by a cancel": {func(w *workerProcess) { w.ask(`{"cancel":"waits"}`); w.ask(`{"cancel":"runs"}`); w.in.Close() }, 0, 2},
		"SIGKILL":     {func(w *workerProcess) { _ = w.cmd.Process.Kill() }, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			mark := "mark-of-worker-" + strings.ReplaceAll(name, " ", "-")
			w := startWorker(t, larder, filepath.Join(t.TempDir(), "store"), "--jobs", "1")
			w.sleep("runs", mark)
			w.ask(`{"id":"waits","spec":{"argv":["true"]},"events":true}`)
			if answer := w.answer(); answer.Event != worker.Accepted {
				t.Fatalf("answered %+v", answer)
			}
			appears(t, mark)
			one.how(w)
			for range one.answers {
				if answer := w.answer(); !answer.Cancelled || answer.Result.ExitCode != 143 && answer.Result.ExitCode != 130 {
					t.Errorf("answered %+v, %+v", answer, answer.Result)
				}
			}
			if code := w.end(); code != one.code {
				t.Errorf("exit code %d, want %d", code, one.code)
			}
			gone(t, mark)
			gone(t, w.store)
			said, err := exec.Command(larder, "--store", w.store, "run", "--no-cache", "--", "true").CombinedOutput()
			if left, _ := os.ReadDir(filepath.Join(w.store, "runs-v1")); err != nil || len(left) > 0 {
				t.Errorf("the next run: %v: %s, and left are %v", err, said, left)
			}
		})
	}
}

// TestWorkerWhoseAnswersNobodyReads: it stops reading, it stops running, and does
// not grow.
func TestWorkerWhoseAnswersNobodyReads(t *testing.T) {
	needSandbox(t)
	w := startWorker(t, buildLarder(t), filepath.Join(t.TempDir(), "store"), "--jobs", "2", "--queue", "4")
	// Each request is refused with an answer, or answered with 512 KiB of text.
	padding := strings.Repeat("x", 500<<10)
	written := make(chan int, 1000)
	go func() {
		for i := range 1000 {
			if _, err := fmt.Fprintf(w.in, `{"id":"%d","spec":{"argv":["printf","%%s","%s"]},"results":"off","inline":1048576}`+"\n", i, padding[:100<<10]); err != nil {
				return
			}
			written <- i
		}
	}()
	last := settled(func() int { return len(written) })
	if last > 60 {
		t.Errorf("%d requests of 100 KiB were read, though nobody reads the answers", last)
	}
	if peak := peakOf(t, w.cmd.Process.Pid); peak > 150<<10 {
		t.Errorf("the worker takes %d KiB", peak)
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	if code := w.end(); code != 143 {
		t.Errorf("exit code %d", code)
	}
}

// settled waits until a number stays for a second.
func settled(number func() int) int {
	last, since := number(), time.Now()
	for time.Since(since) < time.Second {
		time.Sleep(10 * time.Millisecond)
		if now := number(); now != last {
			last, since = now, time.Now()
		}
	}
	return last
}

// peakOf is the most memory that a process had so far, in KiB.
func peakOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var peak int
	if _, err := fmt.Sscan(after, &peak); err != nil {
		t.Fatal(err)
	}
	return peak
}

// TestWorkerTakesBadLines of every kind, and goes on.
func TestWorkerTakesBadLines(t *testing.T) {
	needSandbox(t)
	w := startWorker(t, buildLarder(t), filepath.Join(t.TempDir(), "store"))
	go func() {
		for _, line := range []string{
			strings.Repeat("x", 64<<20), strings.Repeat("[", 1<<20), "\x00\x00", "\xff\xfe", `{"id":"x"`, `{"id":"y","spec":{"argv":["a\u0000b"]}}`,
			`{"id":"good","spec":{"argv":["true"]}}`,
		} {
			fmt.Fprintln(w.in, line)
		}
	}()
	refused, last := 0, map[string]worker.Answer{}
	for range 7 {
		answer := w.answer()
		if answer.Line > 0 && answer.Error != "" {
			refused++
		} else {
			last[answer.ID] = answer
		}
	}
	if refused != 5 || last["y"].Result.ExitCode != codeFailed || last["good"].Result.ExitCode != 0 {
		t.Errorf("%d lines were refused, answered %+v", refused, last)
	}
	if peak := peakOf(t, w.cmd.Process.Pid); peak > 150<<10 {
		t.Errorf("the worker took %d KiB", peak)
	}
	w.in.Close()
	if code := w.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestWhenUnread: a pipe without a reader, at once or later; never a file.
func TestWhenUnread(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	told := make(chan struct{})
	go whenUnread(write, func() { close(told) })
	read.Close()
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("nobody was told that the reader is gone")
	}
}

// TestAWorkerRestsWhenNothingIsUnderWay, and not all the time.
func TestAWorkerRestsWhenNothingIsUnderWay(t *testing.T) {
	store, err := local.OpenStore(t.TempDir(), digest.BLAKE3)
	if err != nil {
		t.Fatal(err)
	}
	longAgo := time.Now().Add(-2 * restEvery)
	s := &serving{shop: &workshop{layout: store.Layout, blobs: store.Blobs, indexes: digest.NewIndexes()}, rested: longAgo}
	s.using.RLock()
	if s.rest(); s.rested != longAgo {
		t.Error("it rested beside an action")
	}
	s.using.RUnlock()
	s.rest()
	first := s.rested
	if first == longAgo {
		t.Error("it did not rest")
	}
	if s.rest(); s.rested != first {
		t.Error("it rested twice in a moment")
	}
}
