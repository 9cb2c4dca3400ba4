package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"unsafe"
)

// --- Memory that the host knows by address -----------------------------------------------------------------------

// Go's collector must not take these buffers before the host gave them back.
var pinned = map[uint32][]byte{}

//go:wasmexport allocate
func allocate(size uint32) uint32 { return pin(make([]byte, max(size, 1))) }

//go:wasmexport deallocate
func deallocate(address, _ uint32) { delete(pinned, address) }

func pin(buffer []byte) uint32 {
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))))
	pinned[address] = buffer
	return address
}

func bytesAt(address, size uint32) []byte { return bytes.Clone(pinned[address][:size]) }

func pack(value any) uint64 {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return uint64(pin(text))<<32 | uint64(len(text))
}

// --- What it asks of the host ------------------------------------------------------------------------------------

//go:wasmimport reglet_host log_message
func logMessage(request uint64)

//go:wasmimport reglet_host http_request
func httpRequest(request uint64) uint64

func newTrace() string {
	var trace [16]byte
	if _, err := rand.Read(trace[:]); err != nil {
		panic(err)
	}
	return hex.EncodeToString(trace[:])
}

type attribute struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// hostLog is a slog.Handler that writes to the host's log.
type hostLog struct{ attributes []slog.Attr }

func (hostLog) Enabled(context.Context, slog.Level) bool { return true }
func (log hostLog) WithGroup(string) slog.Handler        { return log }
func (log hostLog) WithAttrs(more []slog.Attr) slog.Handler {
	return hostLog{append(log.attributes, more...)}
}
func (log hostLog) Handle(_ context.Context, record slog.Record) error {
	attributes := []attribute{}
	add := func(one slog.Attr) bool {
		attributes = append(attributes, attribute{one.Key, "string", one.Value.String()})
		return true
	}
	for _, one := range log.attributes {
		add(one)
	}
	record.Attrs(add)
	request := pack(map[string]any{"context": map[string]any{"Canceled": false}, "timestamp": record.Time,
		"level": record.Level.String(), "message": record.Message, "attrs": attributes})
	logMessage(request)
	deallocate(uint32(request>>32), uint32(request))
	return nil
}

// hostTransport is an http.RoundTripper that has the host make the request.
type hostTransport struct{}

func (hostTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	asked := pack(map[string]any{"method": request.Method, "url": request.URL.String(), "headers": request.Header,
		"context": map[string]any{"Canceled": false}})
	answered := httpRequest(asked)
	deallocate(uint32(asked>>32), uint32(asked))
	if answered == 0 {
		return nil, errors.New("the host did not answer")
	}
	var response struct {
		StatusCode int         `json:"status_code"`
		Headers    http.Header `json:"headers"`
		Body       []byte      `json:"body"`
		Error      *failure    `json:"error"`
	}
	err := json.Unmarshal(bytesAt(uint32(answered>>32), uint32(answered)), &response)
	deallocate(uint32(answered>>32), uint32(answered))
	if err == nil && response.Error != nil {
		err = errors.New(response.Error.Message)
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: response.StatusCode, Header: response.Headers, Request: request,
		Body: io.NopCloser(bytes.NewReader(response.Body)), ContentLength: int64(len(response.Body))}, nil
}
