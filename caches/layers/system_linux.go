package layers

import "golang.org/x/sys/unix"

const (
	noAttribute = unix.ENODATA   // the error for an extended attribute that is not there
	noExec      = unix.ST_NOEXEC // the flag of a file system where nothing can be executed
	lookOnly    = unix.O_PATH    // opens a directory to look names up in it
)
