// Package journal keeps what happened in a store: a log of events by day, and
// tallies that count them.
//
// Both are for people who look after a store. Nothing that larder decides reads
// them, and writing them never fails an action: what cannot be written is lost,
// and [Journal.Problem] says why, once.
//
// # The log
//
// A line is one event, a JSON object with time (UTC), level, event, pid and what
// belongs to the event:
//
//	log-v1/2026-11-21.log      a day, in UTC
//	log-v1/2026-11-21.log.001  the same day, when the file before it was full
//
// Each line is one write to the end of the file, so lines of any number of
// processes stay whole. A disk that is full can cut the last line short; readers
// give that line up and find the next. The process that begins a file removes old
// ones: see [MostDays] and [MostBytes].
//
// # Tallies
//
// A tally counts for one subject, a named cache or a place where results are
// kept:
//
//	tally-v1/KIND-ID   one line: a checksum, and the counters as JSON
//
// Counting takes the kernel lock of that file, reads the line, and overwrites it
// by one write of less than a page. So counts are exact for any number of
// processes, and a process that is killed has counted or has not. A line that a
// power cut tore has a wrong checksum and counts as new.
//
// A nil *Journal is valid and does nothing.
package journal

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"larder/caches"
)

// Journal writes the events and tallies of one store. It may be used by many
// goroutines, and any number of processes may write the journal of one store.
type Journal struct {
	layout   caches.Layout
	handler  slog.Handler
	file     logFile
	counting openTally

	mutex   sync.Mutex
	problem error
}

// Open returns the journal of the store at layout. It does no work.
func Open(layout caches.Layout) *Journal {
	j := &Journal{layout: layout}
	j.file.folder = layout.Log()
	handler := slog.NewJSONHandler(lineWriter{j}, &slog.HandlerOptions{ReplaceAttr: ourNames})
	j.handler = handler.WithAttrs([]slog.Attr{slog.Int("pid", os.Getpid())})
	return j
}

// ourNames calls the message of a line its event, and gives times in UTC.
func ourNames(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attr
	}
	switch attr.Key {
	case slog.MessageKey:
		attr.Key = "event"
	case slog.TimeKey:
		attr.Value = slog.TimeValue(attr.Value.Time().UTC())
	}
	return attr
}

// Log writes one line. An event is a short name such as "checkout"; pairs are
// names and values in turn, as for [slog.Logger.Info].
func (j *Journal) Log(event string, pairs ...any) {
	if j != nil {
		j.write(slog.LevelInfo, event, pairs)
	}
}

// Warn is Log for what somebody should look at.
func (j *Journal) Warn(event string, pairs ...any) {
	if j != nil {
		j.write(slog.LevelWarn, event, pairs)
	}
}

// write goes around [slog.Logger], which looks up the caller of each line for a
// handler that might want it: a walk over the stack, and this one does not.
func (j *Journal) write(level slog.Level, event string, pairs []any) {
	record := slog.NewRecord(time.Now(), level, event, 0)
	record.Add(pairs...)
	_ = j.handler.Handle(context.Background(), record) // a lineWriter takes every line
}

// Problem says why something could not be written since Open, or is nil. It is
// for one warning to the user, and no reason to fail anything.
func (j *Journal) Problem() error {
	if j == nil {
		return nil
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.problem
}

// Close closes the log and the tally that was counted last. Later events and
// counts open them again.
func (j *Journal) Close() {
	if j == nil {
		return
	}
	j.file.close()
	j.counting.mutex.Lock()
	defer j.counting.mutex.Unlock()
	j.counting.shut()
}

// note keeps the first problem.
func (j *Journal) note(err error) {
	if err == nil {
		return
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.problem == nil {
		j.problem = err
	}
}

// lineWriter takes whole lines from the log handler, one a call.
type lineWriter struct{ journal *Journal }

// Write never fails: the handler has nobody to tell.
func (w lineWriter) Write(line []byte) (int, error) {
	w.journal.note(w.journal.file.write(time.Now().UTC().Format(dayForm), line))
	return len(line), nil
}
