package results

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"larder/caches"
	"larder/digest"
)

// TestAnAnswerIsReadWithoutItsMessages: whatever is in a record, Load gives all of
// it but the messages, and All does too; Peek gives those as well.
func TestAnAnswerIsReadWithoutItsMessages(t *testing.T) {
	files, _ := open(t)
	// Texts that look like the members that are left out, in every way.
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`,"action":"`, `","action":"x","command":"y"`, `\",\"command\":\"`, `"`, `\`}))
	rapid.Check(t, func(r *rapid.T) {
		want := &Record{
			Format: Format, ExitCode: rapid.Int().Draw(r, "code"), Stdout: text.Draw(r, "stdout"), OutputTree: text.Draw(r, "tree"),
			Outputs:  []Output{{Path: text.Draw(r, "path"), Target: text.Draw(r, "target")}},
			Observed: []Observation{{text.Draw(r, "observed"), text.Draw(r, "state")}},
			Action:   rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(r, "action"), Command: rapid.SliceOf(rapid.Byte()).Draw(r, "command"), RunMS: 1,
		}
		line, err := json.Marshal(want)
		if err != nil {
			r.Fatal(err)
		}
		whole, answer := &Record{}, &Record{}
		if err := json.Unmarshal(line, whole); err != nil { // what is no UTF-8 is not as it was
			r.Fatal(err)
		}
		*answer = *whole
		answer.Action, answer.Command = nil, nil
		if err := files.Save(t.Context(), of("key"), want); err != nil {
			r.Fatal(err)
		}
		if got, err := files.Load(t.Context(), of("key")); err != nil || !reflect.DeepEqual(got, answer) {
			r.Fatalf("the answer is %+v, %v; want %+v", got, err, answer)
		}
		if got, err := files.Peek(of("key")); err != nil || !reflect.DeepEqual(got, whole) {
			r.Fatalf("the record is %+v, %v; want %+v", got, err, whole)
		}
		err = files.All(func(kept Kept, err error) error {
			if err != nil || !reflect.DeepEqual(kept.Record, answer) {
				r.Fatalf("among all it is %+v, %v; want %+v", kept.Record, err, answer)
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
	})
}

// TestMessagesAreNotUnpacked: messages of a sealed record that are no base64 do not
// matter to its answer, so nothing has looked at them. One without a seal, which
// nothing vouches for, is read as a whole.
func TestMessagesAreNotUnpacked(t *testing.T) {
	files, _ := open(t)
	line, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	odd := bytes.Replace(line, []byte(`"command":"`), []byte(`"command":"?`), 1)
	put(t, files.path(of("key")), string(caches.Seal(odd)))
	if got, err := files.Load(t.Context(), of("key")); err != nil || !reflect.DeepEqual(got, answer()) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := files.Peek(of("key")); err == nil {
		t.Errorf("with its messages it is %+v", got)
	}
	put(t, files.path(of("key")), string(odd))
	if got, err := files.Load(t.Context(), of("key")); err != nil || got != nil {
		t.Errorf("without its seal it is %+v, %v", got, err)
	}
}

// TestRecordsOfEarlierVersionsAreRead: before there were messages, and before there
// were seals.
func TestRecordsOfEarlierVersionsAreRead(t *testing.T) {
	files, _ := open(t)
	const line = `{"format":1,"exit_code":3,"stdout":"x/1","stderr":"y/2","outputs":[{"path":"a","kind":"file"}],"created":"2026-11-20T00:00:00Z","run_ms":2,"max_rss_bytes":4,"user_ms":5,"system_ms":6}`
	for what, text := range map[string]string{
		"sealed": string(caches.Seal([]byte(line))), "without a seal": line, "a line": line + "\n",
		"messages without a seal": strings.Replace(line, `,"created"`, `,"action":"AQ==","command":"Ag==","created"`, 1),
	} {
		put(t, files.path(of("key")), text)
		got, err := files.Load(t.Context(), of("key"))
		if err != nil || got == nil || got.ExitCode != 3 || len(got.Outputs) != 1 || got.SystemMS != 6 {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	files, _ := open(b)
	record := sample()
	record.Observed, record.Action, record.Command = nil, make([]byte, 500), make([]byte, 400)
	if err := files.Save(b.Context(), of("key"), record); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(files.path(of("key")))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if got, err := files.Load(b.Context(), of("key")); err != nil || got == nil {
			b.Fatal(got, err)
		}
	}
}

// TestBothLogsAreOftenOneBlob, which is then looked for once.
func TestBothLogsAreOftenOneBlob(t *testing.T) {
	record := sample()
	for _, c := range []struct {
		stderr string
		want   int
	}{{record.Stdout, 3}, {of("err").String(), 4}} {
		record.Stderr = c.stderr
		single, _, err := record.Needs(digest.BLAKE3)
		if err != nil || len(single) != c.want {
			t.Errorf("with standard error %s it needs %v, %v", c.stderr, single, err)
		}
	}
}
