package worker

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"larder/executor/action"
	"pgregory.net/rapid"
)

func TestActionsRunSideBySideAndAreAnsweredAsTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 2, Queue: 9})
		s.listen()
		s.ask(run("a"), run("b"), run("c"))
		if !slices.Equal(s.begun, []string{"a", "b"}) && !slices.Equal(s.begun, []string{"b", "a"}) {
			t.Fatalf("began %v", s.begun)
		}
		s.end("b")
		s.end("c")
		s.end("a")
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, answer := range s.answers {
			ids = append(ids, answer.ID)
			if answer.Result.Status != action.StatusOK || answer.Error != "" || answer.Cancelled || answer.Stdout != nil {
				t.Errorf("answered %+v", answer)
			}
		}
		if !slices.Equal(ids, []string{"b", "c", "a"}) || s.most != 2 || s.idle != 1 {
			t.Errorf("answered %v, %d at one time, idle %d times", ids, s.most, s.idle)
		}
	})
}

func TestEventsAndTextComeToThoseWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 1, Queue: 9})
		s.listen()
		s.ask(`{"schema":1,"id":"hello","spec":{},"events":true,"inline":3}`, `{"id":"b","spec":{},"inline":9}`)
		s.end("hello")
		s.end("b")
		s.close()
		if len(s.answers) != 4 || s.answers[0].Event != Accepted || s.answers[1].Event != Started {
			t.Fatalf("answered %+v", s.answers)
		}
		if cut := s.answers[2]; *cut.Stdout != "hel" || !cut.Truncated || *cut.Stderr != "" {
			t.Errorf("answered %+v", cut)
		}
		if whole := s.answers[3]; *whole.Stdout != "b" || whole.Truncated {
			t.Errorf("answered %+v", whole)
		}
	})
}

func TestWhatWaitsAndWhatRunsCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 1, Queue: 9})
		s.listen()
		s.ask(run("runs"), run("waits"), run("stays"), stop("waits"), stop("nobody"))
		if by, _ := s.last(); len(by) != 1 || !by["waits"].Cancelled || by["waits"].Result.Status != action.StatusKilled {
			t.Fatalf("answered %v", by)
		}
		s.ask(stop("runs"), stop("runs"))
		s.end("stays")
		s.close()
		by, count := s.last()
		if !by["runs"].Cancelled || by["runs"].Result.Status != action.StatusKilled || by["stays"].Cancelled {
			t.Errorf("answered %v", by)
		}
		if len(count) != 3 || len(s.answers) != 3 || !slices.Equal(s.begun, []string{"runs", "stays"}) {
			t.Errorf("answered %v, began %v", count, s.begun)
		}
	})
}

// TestWhatDoesNotListenIsEnded: the context ends after the time of grace.
func TestWhatDoesNotListenIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 1, Queue: 9})
		s.listen()
		s.ask(run("deaf"))
		s.ask(stop("deaf"))
		begin := time.Now()
		err := s.close()
		if by, _ := s.last(); err != nil || !by["deaf"].Cancelled || !strings.Contains(by["deaf"].Error, "canceled") || time.Since(begin) != s.w.config.Grace {
			t.Errorf("after %s: %v, answered %v", time.Since(begin), err, by)
		}
	})
}

// TestReadingStopsWhenTheQueueIsFull: what is read ahead is bounded.
func TestReadingStopsWhenTheQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 2, Queue: 3, Line: 100 << 10})
		s.listen()
		// Longer than the buffer of the reader, so that what it has read shows.
		padding, taken := strings.Repeat(" ", 80<<10), 0
		go func() {
			for i := range 100 {
				io.WriteString(s.in, run(fmt.Sprint(i))+padding+"\n")
				taken = i + 1
			}
			s.in.Close()
		}()
		synctest.Wait()
		if taken < 5 || taken > 7 || len(s.w.queue) != 3 {
			t.Fatalf("%d requests were read, and %d wait; 2 run", taken, len(s.w.queue))
		}
		for i := range 100 {
			s.end(fmt.Sprint(i))
		}
		if err := s.served(); err != nil || len(s.answers) != 100 {
			t.Errorf("%v, %d answers", err, len(s.answers))
		}
	})
}

// TestNothingGoesOnWhileAnswersAreNotRead: no more actions, no more requests.
func TestNothingGoesOnWhileAnswersAreNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 2, Queue: 3})
		var all []string
		for i := range 50 {
			all = append(all, run(fmt.Sprint(i)))
		}
		s.ask(all...)
		s.end("0")
		s.end("1")
		if len(s.begun) != 2 || len(s.w.queue) != 3 {
			t.Fatalf("%d began and %d wait, though nobody reads answers", len(s.begun), len(s.w.queue))
		}
		s.listen()
		synctest.Wait()
		if len(s.begun) != 4 {
			t.Fatalf("%d began", len(s.begun))
		}
		s.w.Stop(syscall.SIGTERM)
		if err := s.served(); err != nil {
			t.Error(err)
		}
		s.in.Close()
	})
}

func TestStopAnswersEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 2, Queue: 2})
		s.listen()
		s.ask(run("a"), run("b"), run("c"), run("d"), run("e"), run("f"))
		s.w.Stop(syscall.SIGINT)
		s.w.Stop(syscall.SIGTERM)
		if err := s.served(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		by, count := s.last()
		if got := slices.Sorted(maps.Keys(count)); !slices.Equal(got, []string{"a", "b", "c", "d"}) || len(s.answers) != 4 {
			t.Errorf("answered %v in %d lines", got, len(s.answers))
		}
		for id, answer := range by {
			if !answer.Cancelled || answer.Result.Status != action.StatusKilled {
				t.Errorf("%s: %+v", id, answer)
			}
		}
		s.in.CloseWithError(io.ErrUnexpectedEOF)
	})
}

// TestStopWithoutAReader: actions end, and so does the worker.
func TestStopWithoutAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 2, Queue: 2})
		s.ask(run("a"), run("b"), run("c"))
		begin := time.Now()
		s.w.Stop(syscall.SIGTERM)
		if err := s.served(); !errors.Is(err, ErrUnread) || time.Since(begin) != lastWords {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		if len(s.finish) > 0 {
			t.Errorf("still run: %v", s.finish)
		}
		s.in.Close()
		s.out.Close()
	})
}

func TestAReaderThatIsGoneStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 2, Queue: 2})
		s.ask(run("a"), run("b"), run("c"))
		s.out.Close()
		s.end("b")
		if err := s.served(); !errors.Is(err, ErrUnwritten) || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("said %v", err)
		}
		if len(s.begun) != 2 || len(s.finish) > 0 {
			t.Errorf("began %v, still run: %v", s.begun, s.finish)
		}
		s.in.Close()
	})
}

func TestInputThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, Config{Jobs: 1, Queue: 2})
		s.listen()
		s.ask(run("a"))
		s.in.CloseWithError(syscall.EIO)
		synctest.Wait()
		s.end("a")
		if err := s.served(); !errors.Is(err, syscall.EIO) || len(s.answers) != 1 {
			t.Errorf("said %v, %d answers", err, len(s.answers))
		}
	})
}

// TestAnyOrderOfRequestsCancelsAndEnds: each request that was accepted has one
// answer with a result, each other line one without, whatever comes in between.
func TestAnyOrderOfRequestsCancelsAndEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		jobs, queue := rapid.IntRange(1, 3).Draw(rt, "jobs"), rapid.IntRange(1, 3).Draw(rt, "queue")
		deeds := rapid.SliceOfN(rapid.IntRange(0, 11), 0, 40).Draw(rt, "deeds")
		ends := rapid.SampledFrom([]string{"input", "stop"}).Draw(rt, "ends")
		synctest.Test(t, func(t *testing.T) {
			s := newShop(t, Config{Jobs: jobs, Queue: queue})
			s.listen()
			wrong, asked := s.live(deeds, jobs+queue)
			if ends == "stop" {
				s.w.Stop(syscall.SIGTERM)
			} else {
				s.in.Close()
				s.endAll()
			}
			if err := s.served(); err != nil {
				rt.Errorf("said %v", err)
			}
			s.in.Close()
			synctest.Wait()
			_, count := s.last()
			for id := range asked {
				if count[id] != 1 {
					rt.Errorf("%s has %d answers", id, count[id])
				}
			}
			if len(s.answers) != len(asked)+wrong || s.most > jobs || len(s.finish) > 0 || len(s.w.accepted) > 0 {
				rt.Errorf("%d answers to %d requests and %d wrong lines; %d at one time; %d run, %d accepted", len(s.answers), len(asked), wrong, s.most, len(s.finish), len(s.w.accepted))
			}
		})
	})
}

// live does what the numbers say: ask, cancel one, end one, write nonsense. It
// never asks for more than there is room for, so that it is never held up.
func (s *shop) live(deeds []int, room int) (wrong int, asked map[string]bool) {
	asked = map[string]bool{}
	for i, deed := range deeds {
		s.w.mu.Lock()
		open := slices.Sorted(maps.Keys(s.w.accepted))
		s.w.mu.Unlock()
		s.mu.Lock()
		running := slices.Sorted(maps.Keys(s.finish))
		s.mu.Unlock()
		switch {
		case deed < 6 && len(open) < room:
			id := fmt.Sprint(i)
			asked[id] = true
			s.ask(run(id))
		case deed == 6 && len(open) > 0:
			s.ask(stop(open[i%len(open)]))
		case deed == 7 && len(open) > 0:
			wrong++
			s.ask(run(open[i%len(open)])) // its id is not free
		case deed == 8:
			s.ask(stop("nobody"))
		case deed == 9:
			wrong++
			s.ask("nonsense")
		case len(running) > 0:
			s.end(running[i%len(running)])
		}
	}
	return wrong, asked
}

// endAll ends what runs until nothing does.
func (s *shop) endAll() {
	for {
		synctest.Wait()
		s.mu.Lock()
		running := slices.Sorted(maps.Keys(s.finish))
		s.mu.Unlock()
		if len(running) == 0 {
			return
		}
		s.end(running[0])
	}
}
