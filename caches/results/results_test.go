package results

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"larder/digest"
)

func TestFilesRoundTrip(t *testing.T) {
	files, _ := open(t)
	want := sample()
	value := reflect.ValueOf(*want)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Fatalf("the sample does not set %s", value.Type().Field(i).Name)
		}
	}
	if err := files.Save(t.Context(), of("key"), want); err != nil {
		t.Fatal(err)
	}
	if got, err := files.Peek(of("key")); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	later := &Record{Format: Format, ExitCode: 7}
	if err := files.Save(t.Context(), of("key"), later); err != nil {
		t.Fatal(err)
	}
	if got, err := files.Load(t.Context(), of("key")); err != nil || !reflect.DeepEqual(got, later) {
		t.Errorf("saved again: got %+v, %v; want %+v", got, err, later)
	}
}

func TestFilesHaveNothingUnderOtherKeys(t *testing.T) {
	files, _ := open(t)
	if err := files.Save(t.Context(), of("key"), sample()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []digest.Digest{of("other"), digest.Of(digest.SHA256, []byte("key"))} {
		if got, err := files.Load(t.Context(), key); err != nil || got != nil {
			t.Errorf("under %s: %+v, %v; want nothing", key, got, err)
		}
	}
}

func TestFilesThatCannotBeUnderstoodCountAsNone(t *testing.T) {
	files, _ := open(t)
	for what, text := range map[string]string{
		"empty": "", "cut off": `{"format":1,"exit_co`, "not JSON": "\x00\x00", "another format": `{"format":2}`,
		"no format": "{}", "another type": `{"format":1,"outputs":7}`, "null": "null", "a list": "[]",
	} {
		put(t, files.path(of("key")), text)
		if got, err := files.Load(t.Context(), of("key")); err != nil || got != nil {
			t.Errorf("%s: %+v, %v; want none", what, got, err)
		}
	}
}

func TestFilesReportWhatTheDiskRefuses(t *testing.T) {
	files, _ := open(t)
	key := of("key")
	if err := os.MkdirAll(filepath.Join(files.path(key), "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Load(t.Context(), key); err == nil || !strings.Contains(err.Error(), key.String()) {
		t.Errorf("load: %v; want an error that names the key", err)
	}
	if err := files.Save(t.Context(), key, sample()); err == nil || !strings.Contains(err.Error(), key.String()) {
		t.Errorf("save: %v; want an error that names the key", err)
	}
}

func TestFilesByManyAtOnce(t *testing.T) {
	files, _ := open(t)
	one, two := answer(), &Record{Format: Format, ExitCode: 2}
	var group sync.WaitGroup
	for i := range 8 {
		record := []*Record{one, two}[i%2]
		group.Go(func() {
			for range 50 {
				if err := files.Save(context.Background(), of("key"), record); err != nil {
					t.Error(err)
				}
				got, err := files.Load(context.Background(), of("key"))
				if err != nil || !reflect.DeepEqual(got, one) && !reflect.DeepEqual(got, two) {
					t.Errorf("got %+v, %v: neither the one nor the other", got, err)
				}
			}
		})
	}
	group.Wait()
}

// FuzzLoad: whatever is in a record's file, it is a record of this format or none.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"format":1,"exit_code":3,"outputs":[{"path":"a","kind":"file"}]}`))
	f.Add([]byte(`{"format":1,"created":"yesterday"}`))
	files, _ := open(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		put(t, files.path(of("key")), string(data))
		if record, err := files.Load(t.Context(), of("key")); err != nil || record != nil && record.Format != Format {
			t.Fatalf("%+v, %v", record, err)
		}
	})
}
