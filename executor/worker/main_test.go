package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"larder/executor/action"
)

// shop is a worker whose actions end when the test says so. It is for bubbles of
// synctest, in which "nothing happens any more" can be waited for.
type shop struct {
	t    testing.TB
	w    *Worker
	in   *io.PipeWriter
	out  *io.PipeReader
	done chan error // what Serve returned

	mu      sync.Mutex
	begun   []string            // ids, in order
	finish  map[string]chan int // exit codes, by id of what runs
	signals map[string]<-chan os.Signal
	most    int // actions at one time
	idle    int
	answers []Answer
}

func newShop(t testing.TB, config Config) *shop {
	s := &shop{t: t, done: make(chan error, 1), finish: map[string]chan int{}, signals: map[string]<-chan os.Signal{}}
	config.Do, config.Idle, config.Grace = s.do, func() { s.idle++ }, time.Second
	if config.Line == 0 {
		config.Line = 1000
	}
	in, feed := io.Pipe()
	read, out := io.Pipe()
	s.in, s.out = feed, read
	s.w = New(config, out)
	go func() {
		s.done <- s.w.Serve(t.Context(), in)
		out.Close()
	}()
	return s
}

// do runs until the test finishes it, or it is interrupted; one whose id is
// "deaf" takes no signals. Its id is its output.
func (s *shop) do(ctx context.Context, task Task) (*action.Result, error) {
	s.mu.Lock()
	s.begun = append(s.begun, task.ID)
	finish := make(chan int)
	s.finish[task.ID], s.signals[task.ID] = finish, task.Signals
	s.most = max(s.most, len(s.finish))
	s.mu.Unlock()
	fmt.Fprint(task.Stdout, task.ID)
	signals := task.Signals
	if task.ID == "deaf" {
		signals = nil
	}
	result := action.NewResult()
	result.Status = action.StatusOK
	select {
	case result.ExitCode = <-finish:
	case <-signals:
		result.Status = action.StatusKilled
	case <-ctx.Done():
		result.Status = action.StatusError
	}
	s.mu.Lock()
	delete(s.finish, task.ID)
	s.mu.Unlock()
	return result, ctx.Err()
}

// listen reads all answers, until there is none any more.
func (s *shop) listen() {
	go func() {
		lines := bufio.NewScanner(s.out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var answer Answer
			if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
				s.t.Errorf("an answer is no JSON: %v: %s", err, lines.Text())
			}
			s.mu.Lock()
			s.answers = append(s.answers, answer)
			s.mu.Unlock()
		}
	}()
}

// ask writes lines, and waits until nothing happens any more.
func (s *shop) ask(lines ...string) {
	go func() {
		for _, line := range lines {
			io.WriteString(s.in, line+"\n")
		}
	}()
	synctest.Wait()
}

// end ends one action, and waits likewise.
func (s *shop) end(id string) {
	s.mu.Lock()
	finish := s.finish[id]
	s.mu.Unlock()
	if finish == nil {
		s.t.Fatalf("%s does not run", id)
	}
	finish <- 0
	synctest.Wait()
}

// close ends the input, and returns what Serve did.
func (s *shop) close() error {
	s.in.Close()
	return s.served()
}

// served returns what Serve did, once all answers have come.
func (s *shop) served() error {
	err := <-s.done
	synctest.Wait()
	return err
}

func run(id string) string  { return fmt.Sprintf(`{"id":%q,"spec":{"argv":["tool"]}}`, id) }
func stop(id string) string { return fmt.Sprintf(`{"cancel":%q}`, id) }

// last are the last answers by id, and how many each has.
func (s *shop) last() (map[string]Answer, map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	by, count := map[string]Answer{}, map[string]int{}
	for _, answer := range s.answers {
		if answer.Result != nil {
			by[answer.ID] = answer
			count[answer.ID]++
		}
	}
	return by, count
}
