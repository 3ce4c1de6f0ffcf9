// Package action describes one process to run. A [Spec] is what somebody asks
// for: argv, environment, inputs, outputs, caches and limits; it comes from
// JSON by [ParseSpec] or is filled in by a caller, and [Spec.Validate] turns it
// into an [Action], whose paths and names are known to be good. [Action.Encode]
// builds the Remote Execution API messages whose digest is the action's key.
// A [Result] is the answer, in the form of the published result record.
//
// The messages are those of build.bazel.remote.execution.v2, written with
// package wire so that a local run links no protobuf registry; tests hold them
// against the generated messages byte for byte.
package action
