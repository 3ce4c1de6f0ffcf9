package cas

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"larder/digest"
)

// TestWriterTakesAnyPieces: what is written is the blob, whether it stays in
// memory, goes to a file, or crosses over in the middle of a piece.
func TestWriterTakesAnyPieces(t *testing.T) {
	store := open(t)
	size := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(smallBlob/2-2, smallBlob/2+2), rapid.IntRange(smallBlob-2, smallBlob+2))
	rapid.Check(t, func(r *rapid.T) {
		var want []byte
		w := store.NewWriter()
		for range rapid.IntRange(0, 4).Draw(r, "pieces") {
			piece := bytes.Repeat([]byte{rapid.Byte().Draw(r, "byte")}, size.Draw(r, "size"))
			want = append(want, piece...)
			if n, err := w.Write(piece); err != nil || n != len(piece) {
				r.Fatalf("wrote %d of %d bytes, %v", n, len(piece), err)
			}
		}
		if rapid.Bool().Draw(r, "abort") {
			w.Abort()
			return
		}
		d, err := w.Commit()
		if err != nil || d != digest.Of(digest.BLAKE3, want) {
			r.Fatalf("committed as %s, %v", d, err)
		}
		if got, err := store.Blob(t.Context(), d); err != nil || !bytes.Equal(got, want) {
			r.Fatalf("the blob has %d bytes, %v; want the %d that were written", len(got), err, len(want))
		}
	})
	wantNothingLeft(t, store)
}
