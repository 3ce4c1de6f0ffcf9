package digest

// Index is a persistent stat index.
type Index struct{ fn Function }

// NewIndex returns an empty index.
func NewIndex(fn Function) *Index { return &Index{fn: fn} }

// LoadIndex reads the index in file; missing or unusable is an empty one.
func LoadIndex(file string, fn Function) *Index { return NewIndex(fn) }

// Save hands the encoded index to write when it changed.
func (x *Index) Save(write func([]byte) error) error { return nil }

// FileDigest returns the digest of a host file.
func FileDigest(path string, idx *Index) (Digest, error) { return Digest{}, ErrTree }
