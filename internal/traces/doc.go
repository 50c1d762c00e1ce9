// Package traces exports a run as OpenTelemetry spans, by OTLP over HTTP, if the
// standard environment variables ask for that.
//
// A run neither waits for it nor fails of it: what cannot be exported is dropped, and
// said once.
package traces
