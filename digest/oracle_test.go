package digest

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/bazelbuild/remote-apis-sdks/go/pkg/client"
	"github.com/bazelbuild/remote-apis-sdks/go/pkg/command"
	sdk "github.com/bazelbuild/remote-apis-sdks/go/pkg/digest"
	"github.com/bazelbuild/remote-apis-sdks/go/pkg/filemetadata"
)

// TestScanIsTheTreeOfTheSDK compares root and every directory message with what
// the client library of Remote Execution makes of the same files.
func TestScanIsTheTreeOfTheSDK(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{
		"a-b": "1", "a/x": "#!2", "a.b/c/d": "3", "a/link": "-> x", "empty/": "", "z/empty/": "", "é/ü": "4", "same1/f": "5", "same2/f": "5", "none": "",
	})
	options := &client.TreeSymlinkOpts{Preserved: true}
	library := &client.Client{TreeSymlinkOpts: options}
	input := &command.InputSpec{Inputs: []string{"."}, SymlinkBehavior: command.PreserveSymlink}
	want, blobs, _, err := library.ComputeMerkleTree(context.Background(), root, "", "", input, filemetadata.NewNoopCache())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Scan(context.Background(), root, ScanOptions{Function: SHA256, Patterns: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Root.String() != want.String() {
		t.Errorf("root is %s, the SDK says %s", got.Root, want)
	}
	directories := 0
	for _, blob := range blobs {
		if !blob.IsBlob() {
			continue
		}
		d, err := Parse(SHA256, blob.Digest.String())
		if err != nil {
			t.Fatal(err)
		}
		directories++
		if !bytes.Equal(got.Directories()[d], blob.Contents) {
			t.Errorf("directory %s is %q, the SDK has %q", d, got.Directories()[d], blob.Contents)
		}
	}
	// The SDK does not upload the empty directory, which every server has.
	if directories != len(got.Directories())-1 {
		t.Errorf("%d directories, the SDK has %d besides the empty one", len(got.Directories()), directories)
	}
	file, err := sdk.NewFromFile(filepath.Join(root, "a-b"))
	if err != nil {
		t.Fatal(err)
	}
	if mine, err := Lookup(context.Background(), got.Directories(), got.Root, "a-b"); err != nil || mine.Digest.String() != file.String() {
		t.Errorf("file is %s (%v), the SDK says %s", mine.Digest, err, file)
	}
}
