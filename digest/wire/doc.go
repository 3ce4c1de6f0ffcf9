// Package wire reads and writes the wire format of protocol buffers: fields, each
// a number with the kind of its value, and the value. It knows no message; those
// of the Remote Execution API that larder needs, digest and executor/action spell out.
//
// The format is that of https://protobuf.dev/programming-guides/encoding/. Numbers
// are varints of encoding/binary. The library's own package of this format finds
// out, before main, which program it runs in: a start is 1.5 % shorter without it.
// Tests hold this package against that one.
//
// All functions are pure: any goroutine may call them.
package wire
