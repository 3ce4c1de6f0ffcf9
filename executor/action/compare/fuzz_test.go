package compare

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"larder/digest"
	"larder/executor/action"
)

// FuzzDecode takes any bytes for the messages of an action: they are refused, or
// they are like themselves, and what is said of them is printable.
func FuzzDecode(f *testing.F) {
	a := action.Action{Argv: []string{"sh", "-c", "true"}, Env: []action.Variable{{Name: "A", Value: "1"}, {Name: "B_TOKEN", Value: "2"}}, Timeout: 5}
	key := a.Key(of("root"), []action.Property{{Name: "larder-tool", Value: "/opt/x state"}, {Name: "OSFamily", Value: "linux"}})
	f.Add(key.Action, key.Command)
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0x32, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, []byte{0x12, 0x04, 0x0a, 0x02, 0xff, 0xfe})
	f.Add([]byte{0x52, 0x7f}, []byte{0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	plain, err := Decode(digest.BLAKE3, key.Action, key.Command)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, message, command []byte) {
		got, err := Decode(digest.BLAKE3, message, command)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatalf("%v is not ErrMessage", err)
			}
			return
		}
		if found := Actions(got, got); len(found) != 0 {
			t.Fatalf("it differs from itself: %+v", found)
		}
		there, back := Actions(got, plain), Actions(plain, got)
		if len(there) != len(back) {
			t.Fatalf("%d differences one way, %d the other", len(there), len(back))
		}
		for _, d := range there {
			for _, line := range append(d.Lines(), d.Short()) {
				if strings.ContainsFunc(line, unicode.IsControl) {
					t.Fatalf("not printable: %q", line)
				}
			}
		}
		(action.Key{Action: message, Command: command}).Kept()
	})
}
