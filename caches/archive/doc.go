// Package archive keeps a named cache in one file, to take it to another store:
// a tar archive, compressed with zstd, that says what it holds and is believed
// in nothing. What compresses is given to it as a [Codec].
//
// # Form
//
//	ref.json      which cache it is: a [Description]
//	content/...   the directories, plain files and symbolic links of one
//	              generation, a directory before what is in it, the names of one
//	              directory in byte order
//	listing       a line for each entry, and one for the total
//
// A line of the listing gives type, mode, size, modification time, BLAKE3 of the
// content, and path, each entry's as in its tar header. The last line counts
// entries and bytes and gives the BLAKE3 of all lines before it.
//
// # What is checked
//
// [Reader.Extract] accepts only what [Write] can have written: names in order
// and without "..", each in a directory that came before it, so that none comes
// twice and none goes through a link; links that stay inside; no hard links, no
// devices (so no whiteouts), FIFOs or extended attributes; modes that a cache
// has; each content and the total as the listing says; nothing after the end,
// and no bit that is not as it was written. What is refused is named. The checks
// hold against a file made to do harm as against a damaged one; they do not say
// who made it.
//
// Memory does not grow with files, their sizes or their number: the listing of
// what passed by is kept in a scratch file without a name.
package archive
